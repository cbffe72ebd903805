// SPDX-License-Identifier: Apache-2.0
#include "tasks/segment/panoptic.h"

#include <algorithm>
#include <limits>
#include <map>

namespace vitrum {
namespace {

/// A query that is sure to show something.
struct Candidate {
    int query = 0, class_index = 0;
    float score = 0;
};

std::vector<Candidate> find_candidates(NetworkAnswer const& answer, double threshold) {
    std::vector<float> const probabilities = class_probabilities(answer);
    std::vector<Candidate> found;
    for (std::int64_t q = 0; q < answer.queries; ++q) {
        auto const begin = probabilities.begin() + q * (answer.classes + 1), end = begin + answer.classes + 1;
        auto const best = std::max_element(begin, end);
        if (best - begin == answer.classes || !(*best > static_cast<float>(threshold))) continue;
        found.push_back({static_cast<int>(q), static_cast<int>(best - begin), *best});
    }
    return found;
}

/// For each pixel the candidate of the highest score · probability.
struct Contest {
    static constexpr std::uint16_t kFaint = 0x8000;  ///< set where the winner's own mask is below one half
    std::vector<std::uint16_t> winner;
    std::vector<std::int64_t> won;    ///< pixels, by candidate
    std::vector<std::int64_t> solid;  ///< of them those not faint
    std::vector<std::int64_t> mask;   ///< pixels of the candidate's whole mask
};

/// One worker's counts and memory.
struct Tally {
    explicit Tally(std::size_t candidates) : won(candidates), solid(candidates), mask(candidates) {}
    std::vector<std::int64_t> won, solid, mask;
    std::vector<float> scratch, row;
};

/// A mask is where its probability reaches one half; Hugging Face asks that of score · probability.
void contest_row(MaskField const& field, std::vector<Candidate> const& candidates, bool weighed, std::int64_t y,
                 Tally& tally, std::uint16_t* winner) {
    constexpr float kHalf = 0.5F;
    std::size_t const n = candidates.size();
    tally.row.resize(static_cast<std::size_t>(field.x.size()) * n);
    field.row(y, tally.scratch, tally.row);
    for (std::int64_t x = 0; x < field.x.size(); ++x) {
        float const* const probability = tally.row.data() + static_cast<std::size_t>(x) * n;
        float best = -1;
        std::size_t best_k = 0;
        for (std::size_t k = 0; k < n; ++k) {
            float const weight = candidates[k].score * probability[k];
            tally.mask[k] += (weighed ? weight : probability[k]) >= kHalf ? 1 : 0;
            if (weight > best) {
                best = weight;
                best_k = k;
            }
        }
        bool const faint = probability[best_k] < kHalf;
        ++tally.won[best_k];
        tally.solid[best_k] += faint ? 0 : 1;
        winner[x] = static_cast<std::uint16_t>(best_k | (faint ? Contest::kFaint : 0U));
    }
}

void add(std::vector<std::int64_t> const& from, std::vector<std::int64_t>& to) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
}

Contest hold_contest(MaskField const& field, std::vector<Candidate> const& candidates, SegmentRules rules,
                     ThreadPool& threads) {
    std::size_t const n = candidates.size();
    Contest contest{std::vector<std::uint16_t>(static_cast<std::size_t>(field.y.size() * field.x.size())),
                    std::vector<std::int64_t>(n), std::vector<std::int64_t>(n), std::vector<std::int64_t>(n)};
    std::vector<Tally> tallies(static_cast<std::size_t>(threads.size()), Tally(n));
    threads.parallel_for(field.y.size(), [&](std::int64_t y, int worker) {
        contest_row(field, candidates, rules == SegmentRules::hugging_face, y,
                    tallies[static_cast<std::size_t>(worker)], contest.winner.data() + y * field.x.size());
    });
    for (Tally const& tally : tallies) {
        add(tally.won, contest.won);
        add(tally.solid, contest.solid);
        add(tally.mask, contest.mask);
    }
    return contest;
}

struct Numbering {
    std::vector<std::uint16_t> id;  ///< by candidate; 0: none
    std::vector<Segment> segments;
};

Segment segment_of(Candidate const& candidate, int id) {
    Segment segment;
    segment.id = id;
    segment.class_index = candidate.class_index;
    segment.score = candidate.score;
    return segment;
}

/// MaskFormer.panoptic_inference
Numbering number_by_original(std::vector<Candidate> const& candidates, Contest const& contest,
                             PanopticRules const& rules) {
    Numbering numbering{std::vector<std::uint16_t>(candidates.size()), {}};
    std::map<int, std::uint16_t> stuff;
    for (std::size_t k = 0; k < candidates.size(); ++k) {
        if (contest.solid[k] == 0 || contest.mask[k] == 0) continue;
        double const share = static_cast<double>(contest.won[k]) / static_cast<double>(contest.mask[k]);
        if (share < rules.overlap_threshold) continue;
        int const class_index = candidates[k].class_index;
        if (auto const known = stuff.find(class_index); known != stuff.end()) {
            numbering.id[k] = known->second;
            continue;
        }
        auto const id = static_cast<std::uint16_t>(numbering.segments.size() + 1);
        if (rules.joins[static_cast<std::size_t>(class_index)]) stuff[class_index] = id;
        numbering.id[k] = id;
        numbering.segments.push_back(segment_of(candidates[k], id));
    }
    return numbering;
}

/// compute_segments of transformers, to the letter: after a joined segment its counter falls back to that
/// segment's id, so that later ones may get an id that is taken. segment() joins nothing by these rules.
Numbering number_by_hugging_face(std::vector<Candidate> const& candidates, Contest const& contest,
                                 PanopticRules const& rules) {
    Numbering numbering{std::vector<std::uint16_t>(candidates.size()), {}};
    std::map<int, std::uint16_t> stuff;
    std::uint16_t current = 0;
    for (std::size_t k = 0; k < candidates.size(); ++k) {
        if (contest.won[k] == 0 || contest.mask[k] == 0) continue;
        float const share = static_cast<float>(contest.won[k]) / static_cast<float>(contest.mask[k]);
        if (!(static_cast<double>(share) > rules.overlap_threshold)) continue;
        int const class_index = candidates[k].class_index;
        auto const known = stuff.find(class_index);
        current = known != stuff.end() ? known->second : static_cast<std::uint16_t>(current + 1);
        if (rules.joins[static_cast<std::size_t>(class_index)]) stuff[class_index] = current;
        numbering.id[k] = current;
        numbering.segments.push_back(segment_of(candidates[k], current));
    }
    return numbering;
}

}  // namespace

PanopticMap panoptic_map(NetworkAnswer const& answer, SegmentGeometry const& geometry, PanopticRules const& rules,
                         ThreadPool& threads) {
    PanopticMap map;
    std::vector<Candidate> const candidates = find_candidates(answer, rules.threshold);
    if (candidates.empty()) {
        map.labels.resize(static_cast<std::size_t>(geometry.picture.h * geometry.picture.w));
        return map;
    }
    std::vector<int> queries;
    for (Candidate const& candidate : candidates) queries.push_back(candidate.query);
    MaskField const field = probability_field(answer, queries, geometry, rules.rules);
    Contest contest = hold_contest(field, candidates, rules.rules, threads);

    bool const original = rules.rules == SegmentRules::original;
    Numbering numbering =
        original ? number_by_original(candidates, contest, rules) : number_by_hugging_face(candidates, contest, rules);
    for (std::uint16_t& pixel : contest.winner) {
        bool const nothing = original && (pixel & Contest::kFaint) != 0;
        pixel = nothing ? std::uint16_t{0} : numbering.id[pixel & ~Contest::kFaint];
    }
    return {std::move(contest.winner), std::move(numbering.segments)};
}

void measure(std::span<std::uint16_t const> labels, std::int64_t width, std::vector<Segment>& segments) {
    struct Reach {
        std::int64_t area = 0, left = std::numeric_limits<std::int64_t>::max(), top = left, right = -1, bottom = -1;
    };
    std::vector<Reach> reaches(std::numeric_limits<std::uint16_t>::max() + std::size_t{1});
    auto const height = static_cast<std::int64_t>(labels.size()) / width;
    for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x) {
            Reach& reach = reaches[labels[static_cast<std::size_t>(y * width + x)]];
            ++reach.area;
            reach.left = std::min(reach.left, x);
            reach.right = std::max(reach.right, x);
            reach.top = std::min(reach.top, y);
            reach.bottom = y;
        }
    }
    for (Segment& segment : segments) {
        Reach const& reach = reaches[static_cast<std::size_t>(segment.id)];
        segment.area = reach.area;
        segment.box = reach.area == 0
                          ? Box{}
                          : Box{reach.left, reach.top, reach.right - reach.left + 1, reach.bottom - reach.top + 1};
    }
}

}  // namespace vitrum
