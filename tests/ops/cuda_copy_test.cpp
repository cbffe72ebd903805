// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "copy_check.h"
#include "loader/cuda.h"
#include "vitrum/error.h"

namespace vitrum::test {
namespace {

class CudaQueue : public testing::Test {
protected:
    void SetUp() override {
        try {
            backend_ = open_cuda_backend(0);
        } catch (Error const& error) {
            GTEST_SKIP() << error.what();
        }
    }
    [[nodiscard]] Copier copier() const { return copier_of(*backend_->memory()); }

private:
    std::shared_ptr<Backend const> backend_;
};

TEST_F(CudaQueue, CopiesEveryElement) {
    check_copies(copier());
}

TEST_F(CudaQueue, NotesWhatIsNotFinite) {
    check_noted_faults(copier());
}

}  // namespace
}  // namespace vitrum::test
