// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "graphs.h"

namespace vitrum {
namespace {

constexpr char kSnapshot[] = R"(@input = input [N, H, W, 3]
%3 = ReflectPad(@input, @scale, @shift) multiple=8 [N, ceil(H/8)*8, ceil(W/8)*8, 3]  # pad
%6 = Conv2d(%3, @first.weight, @first.bias, -) kernel=3 stride=1 activation=none negative_slope=0 residual_place=after_activation pixel_shuffle=1 [N, ceil(H/8)*8, ceil(W/8)*8, 12]  # conv_first
%13 = WindowAttention(%6, @qkv.weight, -, @table, @proj.weight, @proj.bias, @norm.weight, @norm.bias, %6) heads=2 window=8 shift=4 scale=0.5 norm_epsilon=1e-05 [N, ceil(H/8)*8, ceil(W/8)*8, 12]  # layers.0.attn
%18 = Mlp(%13, @fc1.weight, @fc1.bias, @fc2.weight, @fc2.bias, -, -, %13) activation=gelu norm_epsilon=1e-05 [N, ceil(H/8)*8, ceil(W/8)*8, 12]  # layers.0.mlp
%20 = Conv2d(%18, @up.weight, -, -) kernel=3 stride=1 activation=leaky_relu negative_slope=0.5 residual_place=after_activation pixel_shuffle=2 [N, ceil(H/8)*16, ceil(W/8)*16, 3]  # upsample
%21 = Crop(%20, @scale, @shift) height=H*2 width=W*2 [N, H*2, W*2, 3]
output %21
)";

TEST(Print, ShowsOneNodePerLine) {
    EXPECT_EQ(print(test::small_network()), kSnapshot);
}

}  // namespace
}  // namespace vitrum
