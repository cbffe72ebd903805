// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/instance.h"

#include <algorithm>
#include <map>

#include "tasks/segment/run_lengths.h"

namespace vitrum {
namespace {

struct Pair {
    int query = 0, class_index = 0;
    float probability = 0;
};

std::vector<Pair> best_pairs(NetworkAnswer const& answer, InstanceRules const& rules) {
    std::vector<float> const probabilities = class_probabilities(answer);
    std::vector<Pair> pairs;
    for (std::int64_t q = 0; q < answer.queries; ++q) {
        for (std::int64_t c = 0; c < answer.classes; ++c) {
            float const probability = probabilities[static_cast<std::size_t>(q * (answer.classes + 1) + c)];
            pairs.push_back({static_cast<int>(q), static_cast<int>(c), probability});
        }
    }
    bool const one_per_query = rules.rules == SegmentRules::hugging_face;
    auto const most = static_cast<std::size_t>(one_per_query ? answer.queries : rules.top_k);
    std::ranges::stable_sort(pairs, std::greater(), &Pair::probability);
    pairs.resize(std::min(pairs.size(), most));
    std::erase_if(pairs, [&](Pair const& pair) { return !rules.keeps[static_cast<std::size_t>(pair.class_index)]; });
    return pairs;
}

/// What the pairs of one query share.
struct Mask {
    std::vector<std::uint32_t> runs;
    double mean_probability = 0;
};

/// One column band's part of a mask.
struct Part {
    RunBuilder runs;
    double sum = 0;
    std::int64_t pixels = 0;

    void add(float logit) {
        bool const inside = logit > 0;
        runs.add(inside);
        if (!inside) return;
        sum += sigmoid(logit);
        ++pixels;
    }
};

// As the original divides: an empty mask gives 0.
double mean_of(double sum, std::int64_t pixels) {
    return sum / (static_cast<double>(pixels) + 1e-6);
}

/// The queries' masks at the picture's size, from logits resampled straight to it.
std::vector<Mask> original_masks(NetworkAnswer const& answer, std::vector<int> const& queries,
                                 SegmentGeometry const& geometry, ThreadPool& threads) {
    constexpr std::int64_t kBand = 16;  // columns
    Extent const picture = geometry.picture, resized = geometry.resized, network = geometry.network;
    MaskField const field{gather(answer, queries, Order::columns),
                          bilinear_axis_through(answer.masks.w, network.w, resized.w, picture.w),
                          bilinear_axis_through(answer.masks.h, network.h, resized.h, picture.h), false};
    std::size_t const n = queries.size();
    std::int64_t const bands = (picture.w + kBand - 1) / kBand;
    std::vector<std::vector<Part>> parts(static_cast<std::size_t>(bands), std::vector<Part>(n));
    struct Memory {
        std::vector<float> scratch, column;
    };
    std::vector<Memory> memories(static_cast<std::size_t>(threads.size()));
    threads.parallel_for(bands, [&](std::int64_t band, int worker) {
        auto& [scratch, column] = memories[static_cast<std::size_t>(worker)];
        column.resize(static_cast<std::size_t>(picture.h) * n);
        for (std::int64_t x = band * kBand; x < std::min((band + 1) * kBand, picture.w); ++x) {
            field.row(x, scratch, column);
            for (float const* logit = column.data(); logit != column.data() + column.size();) {
                for (Part& part : parts[static_cast<std::size_t>(band)]) part.add(*logit++);
            }
        }
    });
    std::vector<Mask> masks;
    for (std::size_t q = 0; q < n; ++q) {
        Part whole;
        for (auto& band : parts) {
            whole.runs.append(band[q].runs.finish());
            whole.sum += band[q].sum;
            whole.pixels += band[q].pixels;
        }
        masks.push_back({whole.runs.finish(), mean_of(whole.sum, whole.pixels)});
    }
    return masks;
}

/// Hugging Face measures the mask at 384×384, and takes each pixel of the picture from the nearest one there.
std::vector<Mask> hugging_face_masks(NetworkAnswer const& answer, std::vector<int> const& queries, Extent picture) {
    MaskGrid const grid =
        resample(gather(answer, queries, Order::rows), bilinear_axis(answer.masks.h, kHuggingFaceSide),
                 bilinear_axis(answer.masks.w, kHuggingFaceSide));
    std::vector<std::int32_t> const ys = nearest_axis(kHuggingFaceSide, picture.h),
                                    xs = nearest_axis(kHuggingFaceSide, picture.w);
    std::vector<Mask> masks;
    for (std::int64_t q = 0; q < grid.queries; ++q) {
        double sum = 0;
        std::int64_t pixels = 0;
        for (std::size_t i = static_cast<std::size_t>(q); i < grid.values.size();
             i += static_cast<std::size_t>(grid.queries)) {
            if (grid.values[i] <= 0) continue;
            sum += sigmoid(grid.values[i]);
            ++pixels;
        }
        RunBuilder runs;
        for (std::int32_t const x : xs) {
            for (std::int32_t const y : ys) runs.add(grid.row(y)[x * grid.queries + q] > 0);
        }
        masks.push_back({runs.finish(), mean_of(sum, pixels)});
    }
    return masks;
}

}  // namespace

std::vector<Segment> find_instances(NetworkAnswer const& answer, SegmentGeometry const& geometry,
                                    InstanceRules const& rules, ThreadPool& threads) {
    std::vector<Pair> const pairs = best_pairs(answer, rules);
    std::map<int, std::size_t> place;  // of a query among the masks
    for (Pair const& pair : pairs) place.emplace(pair.query, 0);
    std::vector<int> queries;
    for (auto& [query, at] : place) {
        at = queries.size();
        queries.push_back(query);
    }
    if (queries.empty()) return {};
    std::vector<Mask> const masks = rules.rules == SegmentRules::original
                                        ? original_masks(answer, queries, geometry, threads)
                                        : hugging_face_masks(answer, queries, geometry.picture);
    std::vector<Segment> found;
    for (Pair const& pair : pairs) {
        Mask const& mask = masks[place[pair.query]];
        Segment segment;
        segment.class_index = pair.class_index;
        segment.score = pair.probability * mask.mean_probability;
        segment.area = area_of(mask.runs);
        if (segment.area == 0 || segment.score < rules.threshold) continue;
        segment.box = box_of(mask.runs, geometry.picture.h);
        segment.runs = mask.runs;
        found.push_back(std::move(segment));
    }
    std::ranges::stable_sort(found, std::greater(), &Segment::score);
    for (std::size_t i = 0; i < found.size(); ++i) found[i].id = static_cast<int>(i + 1);
    return found;
}

}  // namespace vitrum
