// SPDX-License-Identifier: Apache-2.0
#include "query_projection.h"

#include <algorithm>
#include <cmath>

namespace vitrum {
namespace {

/// A square matrix by its rows.
class Square {
public:
    explicit Square(std::size_t size) : size_(size), values_(size * size) {}
    double& operator()(std::size_t row, std::size_t column) { return values_[row * size_ + column]; }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    std::size_t size_;
    std::vector<double> values_;
};

/// a = L · Lᵀ in place, L below; false where `a` is not positive definite beyond rounding.
bool factorise(Square& a) {
    constexpr double kRounding = 1e-13;
    double largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, a(i, i));
    for (std::size_t i = 0; i < a.size(); ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = a(i, j);
            for (std::size_t k = 0; k < j; ++k) sum -= a(i, k) * a(j, k);
            if (i > j) a(i, j) = sum / a(j, j);
            else if (sum > kRounding * largest) a(i, i) = std::sqrt(sum);
            else return false;
        }
    }
    return true;
}

/// L · Lᵀ · x = x's old numbers, which lie `stride` apart.
void solve(Square& l, double* x, std::size_t stride) {
    for (std::size_t i = 0; i < l.size(); ++i) {
        for (std::size_t k = 0; k < i; ++k) x[i * stride] -= l(i, k) * x[k * stride];
        x[i * stride] /= l(i, i);
    }
    for (std::size_t i = l.size(); i-- > 0;) {
        for (std::size_t k = i + 1; k < l.size(); ++k) x[i * stride] -= l(k, i) * x[k * stride];
        x[i * stride] /= l(i, i);
    }
}

/// The matrix W [O, C] of least norm with rows · Wᵀ = products, for rows [R, C] and their products [R, O].
std::optional<Constant> least_norm_matrix(std::vector<double> const& rows, std::vector<double> const& products,
                                          std::size_t r_count) {
    std::size_t const c_count = rows.size() / r_count, o_count = products.size() / r_count;
    Square gram(r_count);
    for (std::size_t i = 0; i < r_count; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            for (std::size_t c = 0; c < c_count; ++c) gram(i, j) += rows[i * c_count + c] * rows[j * c_count + c];
        }
    }
    if (!factorise(gram)) return std::nullopt;
    std::vector<double> shares = products;  // [R, O]: (rows · rowsᵀ)⁻¹ · products
    for (std::size_t o = 0; o < o_count; ++o) solve(gram, shares.data() + o, o_count);
    auto const matrix = std::make_shared<std::vector<float>>();
    for (std::size_t o = 0; o < o_count; ++o) {
        for (std::size_t c = 0; c < c_count; ++c) {
            double sum = 0;
            for (std::size_t r = 0; r < r_count; ++r) sum += shares[r * o_count + o] * rows[r * c_count + c];
            matrix->push_back(static_cast<float>(sum));
        }
    }
    Shape const shape{static_cast<std::int64_t>(o_count), static_cast<std::int64_t>(c_count)};
    return Constant{shape, matrix->data(), matrix};
}

}  // namespace

std::optional<Constant> query_projection(ConstTensorView const& queries, Shape const& shape,
                                         std::vector<double> const& from) {
    Shape const& by_head = queries.shape;
    bool const fits = by_head.rank() == 3 && by_head[1] == shape[0] && by_head[0] * by_head[2] == shape[1];
    if (!fits || shape.count() == 0) return std::nullopt;
    std::vector<float> values(from.size());
    copy_to_f32(queries, values.data());
    double const scale = std::sqrt(static_cast<double>(by_head[2]));
    std::vector<double> products(from.size());
    for (std::int64_t i = 0; i < by_head.count(); ++i) {
        std::int64_t const head = i / (by_head[1] * by_head[2]), row = i / by_head[2] % by_head[1];
        std::int64_t const column = head * by_head[2] + i % by_head[2];
        products[static_cast<std::size_t>(row * shape[1] + column)] = scale * values[static_cast<std::size_t>(i)];
    }
    return least_norm_matrix(from, products, static_cast<std::size_t>(shape[0]));
}

}  // namespace vitrum
