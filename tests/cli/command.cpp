// SPDX-License-Identifier: Apache-2.0
#include "command.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>

#include "swinir_file.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

std::string content_of(fs::path const& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

CommandTest::CommandTest() {
    auto const* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        fs::temp_directory_path() / ("vitrum_command_" + std::string(test->name()) + "_" + std::to_string(getpid()));
    fs::create_directories(folder_);
    model_ = at("model.safetensors");
    fs::copy_file(SwinIRFile().lightweight(2).write(), model_);
}

CommandTest::~CommandTest() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

pid_t CommandTest::start(std::vector<std::string> const& arguments) const {
    std::string const out = at(".stdout"), err = at(".stderr");
    std::vector<char*> argv = {const_cast<char*>("vitrum")};
    for (std::string const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_t const process = fork();
    if (process != 0) return process;
    dup2(open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    dup2(open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    execv(VITRUM_COMMAND, argv.data());
    _exit(127);
}

CommandResult CommandTest::finish(pid_t process) const {
    int status = 0;
    waitpid(process, &status, 0);
    int const code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return {code, content_of(at(".stdout")), content_of(at(".stderr"))};
}

CommandResult CommandTest::vitrum(std::vector<std::string> const& arguments) const {
    return finish(start(arguments));
}

void CommandTest::picture(std::string const& name, std::int64_t width, std::int64_t height, bool alpha) const {
    Image image(width, height, 3, SampleType::u8, alpha);
    std::mt19937 random(1);
    for (std::byte& sample : image.colour_bytes()) sample = static_cast<std::byte>(random());
    for (std::byte& sample : image.alpha_bytes()) sample = static_cast<std::byte>(random());
    fs::create_directories(fs::path(at(name)).parent_path());
    save_image(image, at(name));
}

void CommandTest::text_file(std::string const& name, std::string const& text) const {
    fs::create_directories(fs::path(at(name)).parent_path());
    std::ofstream(at(name)) << text;
}

std::vector<std::string> CommandTest::files(std::string const& below) const {
    std::vector<std::string> names;
    for (auto const& entry : fs::recursive_directory_iterator(folder_ / below)) {
        std::string const name = entry.path().lexically_relative(folder_ / below).string();
        bool const own = name == ".stdout" || name == ".stderr" || name == "model.safetensors";
        if (entry.is_regular_file() && !own) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
}

}  // namespace vitrum
