// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dense/kernels.h"

namespace vitrum::dense {

// One function per operator: an operator without one does not link.
void run(Unary const& op, Launch const& launch, Precision precision);
void run(Binary const& op, Launch const& launch, Precision precision);
void run(Where const& op, Launch const& launch, Precision precision);
void run(Cast const& op, Launch const& launch, Precision precision);
void run(QuantizeLinear const& op, Launch const& launch, Precision precision);
void run(DequantizeLinear const& op, Launch const& launch, Precision precision);
void run(Reduce const& op, Launch const& launch, Precision precision);
void run(ArgReduce const& op, Launch const& launch, Precision precision);
void run(Cumulate const& op, Launch const& launch, Precision precision);
void run(Restride const& op, Launch const& launch, Precision precision);
void run(Pad const& op, Launch const& launch, Precision precision);
void run(Concat const& op, Launch const& launch, Precision precision);
void run(Gather const& op, Launch const& launch, Precision precision);
void run(Scatter const& op, Launch const& launch, Precision precision);
void run(MatMul const& op, Launch const& launch, Precision precision);
void run(Convolution const& op, Launch const& launch, Precision precision);
void run(TransposedConvolution const& op, Launch const& launch, Precision precision);
void run(Pool const& op, Launch const& launch, Precision precision);
void run(Softmax const& op, Launch const& launch, Precision precision);
void run(Normalise const& op, Launch const& launch, Precision precision);
void run(Taps const& op, Launch const& launch, Precision precision);
void run(GridSample const& op, Launch const& launch, Precision precision);
void run(TopK const& op, Launch const& launch, Precision precision);

/// The index order of a line, per thread.
[[nodiscard]] std::size_t workspace_bytes(TopK const& op, Problem const& problem, int threads);

}  // namespace vitrum::dense
