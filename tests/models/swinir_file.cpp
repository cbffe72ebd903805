// SPDX-License-Identifier: Apache-2.0
#include "swinir_file.h"

#include <string>

namespace vitrum {

SwinIRFile::SwinIRFile(Options const& options) : o_(options) {
    int const c = o_.embed_dim;
    conv("conv_first", o_.channels, c);
    for (std::string const norm : {"patch_embed.norm", "norm"}) {
        set(norm + ".weight", {c});
        set(norm + ".bias", {c});
    }
    for (int block = 0; block < o_.depth; ++block) {
        auto const name = "layers.0.residual_group.blocks." + std::to_string(block);
        for (std::string const norm : {".norm1", ".norm2"}) {
            set(name + norm + ".weight", {c});
            set(name + norm + ".bias", {c});
        }
        int const span = 2 * o_.window - 1;
        set(name + ".attn.relative_position_bias_table", {span * span, o_.heads});
        set(name + ".attn.qkv.weight", {3 * c, c});
        set(name + ".attn.qkv.bias", {3 * c});
        set(name + ".attn.proj.weight", {c, c});
        set(name + ".attn.proj.bias", {c});
        set(name + ".mlp.fc1.weight", {2 * c, c});
        set(name + ".mlp.fc1.bias", {2 * c});
        set(name + ".mlp.fc2.weight", {c, 2 * c});
        set(name + ".mlp.fc2.bias", {c});
    }
    conv("layers.0.conv", c, c);
    conv("conv_after_body", c, c);
}

SwinIRFile& SwinIRFile::denoising() {
    conv("conv_last", o_.embed_dim, o_.channels);
    return *this;
}

SwinIRFile& SwinIRFile::lightweight(int scale) {
    conv("upsample.0", o_.embed_dim, o_.channels * scale * scale);
    return *this;
}

SwinIRFile& SwinIRFile::classical(std::vector<int> const& factors) {
    constexpr int kFeatures = 8;
    conv("conv_before_upsample.0", o_.embed_dim, kFeatures);
    for (std::size_t i = 0; i < factors.size(); ++i) {
        conv("upsample." + std::to_string(2 * i), kFeatures, kFeatures * factors[i] * factors[i]);
    }
    conv("conv_last", kFeatures, o_.channels);
    return *this;
}

SwinIRFile& SwinIRFile::real_world() {
    constexpr int kFeatures = 8;
    conv("conv_before_upsample.0", o_.embed_dim, kFeatures);
    for (std::string const name : {"conv_up1", "conv_up2", "conv_hr"}) conv(name, kFeatures, kFeatures);
    conv("conv_last", kFeatures, o_.channels);
    return *this;
}

}  // namespace vitrum
