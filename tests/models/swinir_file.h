// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "checkpoint_file.h"

namespace vitrum {

/// A SwinIR checkpoint under construction.
class SwinIRFile : public CheckpointFile {
public:
    struct Options {
        int channels = 3;
        int embed_dim = 12;
        int window = 8;
        int heads = 2;
        int depth = 2;
    };

    /// The body that all variants share, without an upsampler.
    SwinIRFile() : SwinIRFile(Options{}) {}
    explicit SwinIRFile(Options const& options);

    SwinIRFile& denoising();
    SwinIRFile& lightweight(int scale);
    SwinIRFile& classical(std::vector<int> const& factors);
    SwinIRFile& real_world();

private:
    Options o_;
};

}  // namespace vitrum
