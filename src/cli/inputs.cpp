// SPDX-License-Identifier: Apache-2.0
#include "inputs.h"

#include <fmt/core.h>
#include <glob.h>

#include <algorithm>
#include <set>

#include "vitrum/error.h"
#include "vitrum/image.h"

namespace vitrum::cli {
namespace {

namespace fs = std::filesystem;

bool is_hidden(fs::path const& path) {
    return path.filename().string().starts_with('.');
}

/// One walk for both ways of searching: `Iterator` is directory_iterator or recursive_directory_iterator.
template <class Iterator>
std::vector<Input> search(fs::path const& folder, fs::path const& leave_out, bool (*wanted)(fs::path const&)) {
    std::error_code error;
    std::vector<Input> found;
    Iterator it(folder, error), end;
    for (; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if constexpr (requires { it.disable_recursion_pending(); }) {
            bool const is_output = !leave_out.empty() && fs::equivalent(it->path(), leave_out, ignored);
            if (is_output || is_hidden(it->path())) it.disable_recursion_pending();
        }
        if (is_hidden(it->path()) || !wanted(it->path()) || !it->is_regular_file(ignored)) continue;
        found.push_back({it->path(), it->path().lexically_relative(folder), true});
    }
    if (error) throw Error(fmt::format("cannot read the folder {}: {}", folder.string(), error.message()));
    std::ranges::sort(found, {}, &Input::path);
    return found;
}

std::vector<Input> pictures_in(fs::path const& folder, bool recursive, fs::path const& leave_out,
                               bool (*wanted)(fs::path const&)) {
    auto found = recursive ? search<fs::recursive_directory_iterator>(folder, leave_out, wanted)
                           : search<fs::directory_iterator>(folder, leave_out, wanted);
    if (found.empty()) {
        throw Error(fmt::format("no pictures in {}{}", folder.string(),
                                recursive ? "" : "; --recursive looks into its folders too"));
    }
    return found;
}

std::vector<std::string> expand_pattern(std::string const& pattern) {
    glob_t matches{};
    int const status = glob(pattern.c_str(), GLOB_BRACE | GLOB_TILDE, nullptr, &matches);
    std::vector<std::string> paths(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    globfree(&matches);
    if (status != 0 || paths.empty()) throw Error(fmt::format("nothing matches {}", pattern));
    return paths;
}

std::vector<std::string> expand(std::string const& name) {
    std::error_code error;
    if (fs::exists(name, error)) return {name};
    if (name.find_first_of("*?[{") != std::string::npos) return expand_pattern(name);
    throw Error(fmt::format("no such file or folder: {}", name));
}

}  // namespace

bool has_picture_extension(fs::path const& path) {
    try {
        static_cast<void>(format_of_path(path));
        return true;
    } catch (Error const&) {
        return false;
    }
}

std::vector<Input> collect_inputs(std::vector<std::string> const& names, bool recursive, fs::path const& leave_out,
                                  bool (*wanted)(fs::path const&)) {
    std::vector<Input> inputs;
    std::set<fs::path> seen;
    auto const add = [&](Input input) {
        if (seen.insert(fs::weakly_canonical(input.path)).second) inputs.push_back(std::move(input));
    };
    for (std::string const& name : names) {
        for (fs::path const path : expand(name)) {
            if (fs::is_directory(path)) {
                for (Input& input : pictures_in(path, recursive, leave_out, wanted)) add(std::move(input));
            } else {
                add({path, path.filename(), false});
            }
        }
    }
    return inputs;
}

}  // namespace vitrum::cli
