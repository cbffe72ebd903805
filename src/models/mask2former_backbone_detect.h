// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "mask2former_backbone.h"

namespace vitrum::mask2former {

/// What a Swin's and a ResNet's first convolution are called in either layout.
[[nodiscard]] std::string swin_stem_key(Layout layout);
[[nodiscard]] std::string resnet_stem_key(Layout layout);

/// The configuration, or nothing where findings.missing says why not. The stem's key is there.
[[nodiscard]] std::optional<SwinConfig> read_swin(StateDict const& dict, Layout layout, Findings& findings);
[[nodiscard]] std::optional<ResNetConfig> read_resnet(StateDict const& dict, Layout layout, Overrides const& overrides,
                                                      Findings& findings);

}  // namespace vitrum::mask2former
