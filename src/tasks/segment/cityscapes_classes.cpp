// SPDX-License-Identifier: Apache-2.0
#include "builtin_classes.h"

namespace vitrum {
namespace {

// The 19 evaluated classes of Cityscapes: label id, whether it is a thing, name.
constexpr BuiltinClass kCityscapes[] = {
    {7, false, "road"},        {8, false, "sidewalk"},   {11, false, "building"},      {12, false, "wall"},
    {13, false, "fence"},      {17, false, "pole"},      {19, false, "traffic light"}, {20, false, "traffic sign"},
    {21, false, "vegetation"}, {22, false, "terrain"},   {23, false, "sky"},           {24, true, "person"},
    {25, true, "rider"},       {26, true, "car"},        {27, true, "truck"},          {28, true, "bus"},
    {31, true, "train"},       {32, true, "motorcycle"}, {33, true, "bicycle"},
};

}  // namespace

std::span<BuiltinClass const> cityscapes_classes() {
    return kCityscapes;
}

}  // namespace vitrum
