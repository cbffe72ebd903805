// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels.h"
#include "math.h"

namespace vitrum::reference {
namespace {

using Op = QueryAttention;

/// One query of one head.
class Query {
public:
    Query(Op const& op, Launch const& launch, std::int64_t item, double* weights)
        : queries_(nhwc(launch.inputs[Op::kQueries])),
          keys_(nhwc(launch.inputs[Op::kKeys])),
          values_(nhwc(launch.inputs[Op::kValues])),
          mask_(launch.inputs[Op::kMask]),
          y_(nhwc(launch.outputs[0])),
          n_(item / (op.heads * queries_.w)),
          query_(item / op.heads % queries_.w),
          dim_(queries_.c / op.heads),
          first_(item % op.heads * dim_),
          count_(keys_.h * keys_.w),
          weights_(weights) {}

    void run() const {
        bool const masked = attends_somewhere();
        double largest = -std::numeric_limits<double>::infinity();
        for (std::int64_t j = 0; j < count_; ++j) {
            weights_[j] = masked && is_masked(j) ? -std::numeric_limits<double>::infinity() : logit(j);
            largest = std::max(largest, weights_[j]);
        }
        double sum = 0;
        for (std::int64_t j = 0; j < count_; ++j) sum += weights_[j] = std::exp(weights_[j] - largest);
        float* const to = y_.pixel(n_, 0, query_) + first_;
        for (std::int64_t d = 0; d < dim_; ++d) {
            double value = 0;
            for (std::int64_t j = 0; j < count_; ++j) value += weights_[j] * key_pixel(values_, j)[d];
            to[d] = static_cast<float>(value / sum);
        }
    }

private:
    [[nodiscard]] float const* key_pixel(Nhwc<float> const& of, std::int64_t j) const {
        return of.data + (n_ * count_ + j) * of.stride + first_;
    }

    [[nodiscard]] bool is_masked(std::int64_t j) const {
        Nhwc<float> const mask = nhwc(mask_);
        return mask.data[(n_ * count_ + j) * mask.stride + query_] < 0;
    }

    /// Whether there is a mask that leaves the query anything to attend to.
    [[nodiscard]] bool attends_somewhere() const {
        if (mask_.data == nullptr) return false;
        for (std::int64_t j = 0; j < count_; ++j) {
            if (!is_masked(j)) return true;
        }
        return false;
    }

    [[nodiscard]] double logit(std::int64_t j) const {
        float const* const q = queries_.pixel(n_, 0, query_) + first_;
        float const* const k = key_pixel(keys_, j);
        double sum = 0;
        for (std::int64_t d = 0; d < dim_; ++d) sum += static_cast<double>(q[d]) * k[d];
        return sum / std::sqrt(static_cast<double>(dim_));
    }

    Nhwc<float> queries_, keys_, values_;
    TensorView mask_;
    Nhwc<float> y_;
    std::int64_t n_, query_;
    std::int64_t dim_, first_;  ///< of the head: its channels and the first of them
    std::int64_t count_;        ///< keys of a picture
    double* weights_;           ///< [count]
};

}  // namespace

std::size_t QueryAttentionKernel::workspace_bytes(Op const&, Problem const& problem, int threads) {
    Shape const& keys = problem.inputs[Op::kKeys];
    return static_cast<std::size_t>(threads) * scratch_doubles(keys[1] * keys[2]) * sizeof(double);
}

void QueryAttentionKernel::launch(Op const& op, Launch const& launch) {
    Nhwc<float> const queries = nhwc(launch.inputs[Op::kQueries]);
    Nhwc<float> const keys = nhwc(launch.inputs[Op::kKeys]);
    launch.threads->parallel_for(queries.pixels() * op.heads, [&](std::int64_t item, int worker) {
        Query(op, launch, item, scratch_of(launch, worker, keys.h * keys.w)).run();
    });
}

void QueryMasksKernel::launch(QueryMasks const&, Launch const& launch) {
    Nhwc<float> const features = nhwc(launch.inputs[QueryMasks::kFeatures]);
    Nhwc<float> const queries = nhwc(launch.inputs[QueryMasks::kQueries]);
    Nhwc<float> const y = nhwc(launch.outputs[0]);
    launch.threads->parallel_for(y.pixels(), [&](std::int64_t pixel, int) {
        float const* const feature = features.data + pixel * features.stride;
        for (std::int64_t q = 0; q < y.c; ++q) {
            float const* const query = queries.pixel(pixel / (y.h * y.w), 0, q);
            double sum = 0;
            for (std::int64_t c = 0; c < features.c; ++c) sum += static_cast<double>(feature[c]) * query[c];
            y.data[pixel * y.stride + q] = static_cast<float>(sum);
        }
    });
}

}  // namespace vitrum::reference
