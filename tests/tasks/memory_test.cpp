// SPDX-License-Identifier: Apache-2.0
#include "tasks/memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace vitrum {
namespace {

/// A made-up /proc and /sys.
class MachineMemory : public testing::Test {
protected:
    MachineMemory() { put("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\nMemAvailable:   8000000 kB\n"); }
    ~MachineMemory() override { std::filesystem::remove_all(root_); }

    void put(std::string const& path, std::string const& text) {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    std::filesystem::path root_ =
        std::filesystem::temp_directory_path() / ("vitrum_memory_test_" + std::to_string(getpid()));
};

TEST_F(MachineMemory, WithoutCgroupsIsWhatTheKernelSays) {
    EXPECT_EQ(available_memory(root_), 8000000ULL * 1024);
    EXPECT_EQ(total_memory(root_), 16000000ULL * 1024);
}

TEST_F(MachineMemory, AVersion2CgroupLimitsIt) {
    put("proc/self/cgroup", "0::/app/job\n");
    put("sys/fs/cgroup/app/job/memory.max", "max\n");
    put("sys/fs/cgroup/app/job/memory.current", "5000\n");
    put("sys/fs/cgroup/app/memory.max", "1000000\n");
    put("sys/fs/cgroup/app/memory.current", "700000\n");
    put("sys/fs/cgroup/app/memory.stat", "anon 600000\ninactive_file 100000\n");
    EXPECT_EQ(available_memory(root_), 400000U);  // page cache is given back on demand
    EXPECT_EQ(total_memory(root_), 1000000U);
}

TEST_F(MachineMemory, AVersion1CgroupWhosePathIsTheHostsLimitsItThroughItsMountedRoot) {
    put("proc/self/cgroup", "4:memory:/docker/1234\n3:cpuset:/\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000000\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n");
    EXPECT_EQ(available_memory(root_), 1500000U);
}

TEST_F(MachineMemory, AnUnlimitedVersion1CgroupDoesNot) {
    put("proc/self/cgroup", "4:memory:/\n");
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("sys/fs/cgroup/memory/memory.usage_in_bytes", "500000\n");
    EXPECT_EQ(available_memory(root_), 8000000ULL * 1024);
}

TEST_F(MachineMemory, AFullCgroupLeavesNothing) {
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/memory.max", "1000\n");
    put("sys/fs/cgroup/memory.current", "1200\n");
    EXPECT_EQ(available_memory(root_), 0U);
}

TEST_F(MachineMemory, UnknownIsNotNone) {
    EXPECT_FALSE(available_memory(root_ / "nowhere").has_value());
}

TEST(ProcessMemory, PeakIsAtLeastWhatThereIs) {
    EXPECT_GT(resident_memory(), 0U);
    EXPECT_GE(peak_resident_memory(), resident_memory());
}

}  // namespace
}  // namespace vitrum
