// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "base/check.h"
#include "image/convert.h"
#include "picture_pairs.h"
#include "vitrum/measure.h"

namespace vitrum {
namespace {

/// The reference cut to the size of what is compared with it: test sets shrink pictures whose sides are no
/// multiple of the scale.
Image cut_to(Image const& reference, Image const& size, int scale, std::filesystem::path const& path) {
    std::int64_t const dx = reference.width() - size.width(), dy = reference.height() - size.height();
    if (dx < 0 || dy < 0 || dx >= scale || dy >= scale) {
        fail(
            "{} has {}×{} pixels, but restored pictures of its partner have {}×{}; is the model's scale ×{} the "
            "folder's?",
            path.string(), reference.width(), reference.height(), size.width(), size.height(), scale);
    }
    Image cut(size.width(), size.height(), reference.channels(), reference.type());
    std::size_t const row_bytes = static_cast<std::size_t>(cut.width() * cut.channels()) * size_of(cut.type());
    for (std::int64_t y = 0; y < cut.height(); ++y) {
        std::copy_n(reference.row<std::byte>(y), row_bytes, cut.row<std::byte>(y));
    }
    return cut;
}

PictureQuality mean_of(std::vector<PictureComparison> const& all, PictureQuality PictureComparison::*of) {
    PictureQuality mean;
    double const count = static_cast<double>(all.size());
    for (PictureComparison const& one : all) {
        mean.psnr_y_db += (one.*of).psnr_y_db / count;
        mean.psnr_rgb_db += (one.*of).psnr_rgb_db / count;
        mean.ssim_y += (one.*of).ssim_y / count;
    }
    return mean;
}

}  // namespace

QualityReport verify_images(Session& session, std::filesystem::path const& degraded,
                            std::filesystem::path const& reference, RestoreOptions const& options) {
    int const scale = session.engine().info().scale;
    int const border = scale > 1 ? scale : 0;
    std::vector<PicturePair> const pairs = pair_pictures(degraded, reference, scale);
    QualityReport report;
    for (PicturePair const& pair : pairs) {
        double const done = static_cast<double>(report.pictures.size()), all = static_cast<double>(pairs.size());
        RestoreOptions step = options;
        if (options.progress) step.progress = [&](double f) { return options.progress((done + f) / all); };
        Image const picture = load_image(pair.degraded);
        Image const restored = restore(session, picture, step).image;
        Image const original = cut_to(load_image(pair.reference), restored, scale, pair.reference);
        Image const enlarged = resize_bicubic(picture, restored.width(), restored.height());
        report.pictures.push_back({pair.reference.filename().string(), compare_pictures(restored, original, border),
                                   compare_pictures(enlarged, original, border)});
    }
    report.mean = mean_of(report.pictures, &PictureComparison::restored);
    report.bicubic_mean = mean_of(report.pictures, &PictureComparison::bicubic);
    return report;
}

}  // namespace vitrum
