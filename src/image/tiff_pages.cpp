// SPDX-License-Identifier: Apache-2.0
#include "image/tiff_pages.h"

#include <vector>

#include "base/atomic_file.h"
#include "base/check.h"
#include "vips_handle.h"

namespace vitrum {
namespace {

using image::make_picture;
using image::VipsPicture;

[[noreturn]] void cannot_write(std::filesystem::path const& path) {
    fail("{}: cannot write this TIFF: {}", path.string(), image::take_vips_error());
}

/// The bands one above the other, which is how libvips holds pages. Each is taken out of the interleaved values as
/// it is written, so that there is no second copy.
VipsPicture stack_bands(VipsImage* interleaved, std::int64_t bands) {
    std::vector<VipsPicture> pages;
    std::vector<VipsImage*> pointers;
    for (int band = 0; band < bands; ++band) {
        pages.push_back(
            make_picture([&](VipsImage** out) { return vips_extract_band(interleaved, out, band, nullptr); }));
        if (!pages.back()) return nullptr;
        pointers.push_back(pages.back().get());
    }
    auto stacked = make_picture([&](VipsImage** out) {
        return vips_arrayjoin(pointers.data(), out, static_cast<int>(bands), "across", 1, nullptr);
    });
    if (!stacked) return nullptr;
    return make_picture([&](VipsImage** out) {
        return vips_copy(stacked.get(), out, "interpretation", VIPS_INTERPRETATION_B_W, nullptr);
    });
}

}  // namespace

void write_tiff_pages(std::filesystem::path const& path, float const* values, std::int64_t height, std::int64_t width,
                      std::int64_t bands, std::string const& description) {
    constexpr std::int64_t kMaxSide = 10'000'000;  // libvips' own bound
    if (width > kMaxSide || height > kMaxSide / bands) {
        fail_as(ErrorKind::usage, "{}: {} bands of {}×{} pixels are too many for a TIFF; save as .hdr, .mat or .npy",
                path.string(), bands, width, height);
    }
    image::start_vips();
    auto const size = static_cast<std::size_t>(height * width * bands) * sizeof(float);
    VipsPicture const interleaved(vips_image_new_from_memory(
        values, size, static_cast<int>(width), static_cast<int>(height), static_cast<int>(bands), VIPS_FORMAT_FLOAT));
    VipsPicture const stacked = interleaved ? stack_bands(interleaved.get(), bands) : nullptr;
    if (!stacked) cannot_write(path);
    vips_image_set_int(stacked.get(), VIPS_META_PAGE_HEIGHT, static_cast<int>(height));
    vips_image_set_string(stacked.get(), VIPS_META_IMAGEDESCRIPTION, description.c_str());
    vips_image_set_int(stacked.get(), VIPS_META_CONCURRENCY, 1);
    gboolean const big = size > 4'000'000'000 ? TRUE : FALSE;
    AtomicFile file(path);
    if (vips_tiffsave(stacked.get(), file.writable_path().c_str(), "bigtiff", big, nullptr) != 0) cannot_write(path);
    file.commit();
}

}  // namespace vitrum
