// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "base/atomic_file.h"
#include "build_files.h"

namespace vitrum {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = testing::TempDir() + "/atomic-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
    }
    void TearDown() override { fs::remove_all(folder_); }

    static void write(AtomicFile& file, std::string const& text) { file.write(std::as_bytes(std::span(text))); }
    static std::string content(fs::path const& path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    std::size_t files() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), {})); }

    fs::path folder_;
};

TEST_F(AtomicFileTest, AppearsWholeAtCommit) {
    auto const target = folder_ / "picture.png";
    std::ofstream(target) << "old";
    AtomicFile file(target);
    write(file, "new ");
    write(file, "content");
    EXPECT_EQ(content(target), "old");
    file.commit();
    EXPECT_EQ(content(target), "new content");
    EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFileTest, LeavesNothingWithoutCommit) {
    {
        AtomicFile file(folder_ / "x");
        write(file, "half");
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicFileTest, LeavesNothingWhenTheProcessIsKilled) {
    auto const child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        AtomicFile file(folder_ / "x");
        write(file, "half");
        raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(files(), 0U);
}

TEST_F(AtomicFileTest, CodeThatWritesByPathCanFillIt) {
    AtomicFile file(folder_ / "x");
    std::ofstream(file.writable_path()) << "by path";
    file.commit();
    EXPECT_EQ(content(folder_ / "x"), "by path");
}

TEST_F(AtomicFileTest, KeepsLinksAndPermissions) {
    std::ofstream(folder_ / "real") << "old";
    fs::permissions(folder_ / "real", fs::perms::owner_read | fs::perms::owner_write);
    fs::create_symlink("real", folder_ / "link");
    AtomicFile file(folder_ / "link");
    write(file, "new");
    file.commit();
    EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
    EXPECT_EQ(content(folder_ / "real"), "new");
    EXPECT_EQ(fs::status(folder_ / "real").permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(AtomicFileTest, SaysWhyItCannotWrite) {
    auto const error_of = [](fs::path const& path) -> std::string {
        try {
            AtomicFile const file(path);
        } catch (Error const& error) {
            return error.what();
        }
        return "no error";
    };
    EXPECT_CONTAINS(error_of(folder_ / "missing" / "x"), "the folder does not exist");
    EXPECT_CONTAINS(error_of(folder_), "is not a regular file");
    EXPECT_CONTAINS(error_of("/dev/null"), "is not a regular file");
    if (geteuid() == 0) return;  // root may write anywhere
    fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_CONTAINS(error_of(folder_ / "x"), "no permission");
    fs::permissions(folder_, fs::perms::owner_all);
}

TEST_F(AtomicFileTest, LongNamesWork) {
    auto const target = folder_ / std::string(250, 'n');
    AtomicFile file(target);
    file.commit();
    EXPECT_TRUE(fs::exists(target));
}

}  // namespace
}  // namespace vitrum
