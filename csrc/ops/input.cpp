// The prologue of a linear layer: RMSNorm and int8 quantisation of its input rows.
#include <algorithm>

#include "ops/ops.h"

namespace cutaway {

using kernels::kQBlock;

Input plain(const Plan& p, ValueId x) {
  Input in;
  in.x = x;
  in.width = p.values()[x].width;
  return in;
}

Input rms_norm(Plan& p, int layer, const std::string& name, ValueId x, const std::vector<float>& weight,
               float eps) {
  const std::string of = p.values()[x].name;
  Value scale, normalized;
  scale.name = name + ".scale";
  scale.dims = {{"1", 1}};
  scale.equation = "sqrt(mean(" + of + "^2) + eps)";
  scale.layer = normalized.layer = layer;
  normalized.name = name + ".normalized";
  normalized.dims = p.values()[x].dims;
  normalized.equation = of + " / " + name + ".scale * " + name + ".w";
  normalized.replaceable = true;
  p.reads(x);
  Input in = plain(p, x);
  in.norm = &weight;
  in.eps = eps;
  in.scale = p.name(scale);
  in.normalized = p.name(normalized);
  return in;
}

bool needs_int8(const Run& run, const Matrix& m) { return run.int8 && run.kernels->quants[m.quant].integer; }

namespace {

// Splits a piece of memory into the three arrays of Int8Rows.
kernels::Int8Rows int8_in(uint8_t* at, int64_t rows, int64_t cols) {
  kernels::Int8Rows q;
  q.scale = reinterpret_cast<float*>(at);
  q.sums = reinterpret_cast<int32_t*>(q.scale + rows * cols / kQBlock);
  q.codes = reinterpret_cast<int8_t*>(q.sums + rows * cols / kQBlock * 2);
  return q;
}

kernels::Int8Rows row_of(const kernels::Int8Rows& q, int64_t r, int64_t cols) {
  return {q.codes + r * cols, q.scale + r * cols / kQBlock, q.sums + r * cols / kQBlock * 2};
}

}  // namespace

int64_t prepare_scratch(int64_t max_cols) {
  const int64_t blocks = kFewRows * (max_cols / kQBlock + 1);
  return kFewRows * max_cols * 4 + blocks * 12 + kFewRows * max_cols + 256;
}

Prepared prepare(Run& run, Worker& w, const Input& in, const float* x, int64_t rows, bool want_int8) {
  const kernels::Table& k = *run.kernels;
  const int64_t cols = in.width;
  Prepared out{x, cols, {}};
  if (rows <= kFewRows) {  // every worker for itself: no barrier, the same bits
    float* normed = reinterpret_cast<float*>(run.scratch[w.id].data());
    if (in.norm) {
      float* scale = w.id == 0 && run.value[in.scale] ? run.value[in.scale] : nullptr;
      // Worker 0 writes a tapped value in place; the others keep their own copy.
      if (w.id == 0 && run.tapped[in.normalized]) normed = run.value[in.normalized];
      k.rms_norm(normed, scale, x, in.norm->data(), rows, cols, in.eps);
      out.x = normed;
    }
    if (want_int8) {
      out.int8 = int8_in(run.scratch[w.id].data() + kFewRows * cols * 4, rows, cols);
      k.quantize(&out.int8, out.x, rows, cols);
    }
    return out;
  }
  if (!in.norm && !want_int8) return out;
  const int64_t first = w.first(rows), last = w.last(rows);
  if (in.norm) {
    float* normed = run.value[in.normalized];
    float* scale = run.value[in.scale] ? run.value[in.scale] + first : nullptr;
    k.rms_norm(normed + first * cols, scale, x + first * cols, in.norm->data(), last - first, cols, in.eps);
    out.x = normed;
  }
  if (want_int8) {
    out.int8 = int8_in(reinterpret_cast<uint8_t*>(run.shared_int8.codes), rows, cols);
    const kernels::Int8Rows mine = row_of(out.int8, first, cols);
    k.quantize(&mine, out.x + first * cols, last - first, cols);
  }
  w.sync();
  return out;
}

void run_linear(const Run& run, const Matrix& m, const Prepared& in, int64_t rows, int64_t first_tile,
                int64_t last_tile, float* out, int64_t ld) {
  if (first_tile >= last_tile) return;
  const kernels::Quant& q = run.kernels->quants[m.quant];
  const uint8_t* tiles = m.tile(q, first_tile);
  const int64_t n_out = std::min(last_tile * kernels::kLanes, m.rows) - first_tile * kernels::kLanes;
  float* to = out + first_tile * kernels::kLanes;
  if (needs_int8(run, m))
    q.linear_int8(to, ld, &in.int8, tiles, rows, m.cols, n_out);
  else
    q.linear_f32(to, ld, in.x, in.ld, tiles, rows, m.cols, n_out);
}

Input norm_stage(const Input& in, std::vector<Stage>& out) {
  Stage stage;
  stage.writes = {in.scale, in.normalized};
  stage.run = [in](Run& run, Worker& w) {
    const int64_t first = w.first(run.rows), last = w.last(run.rows);
    float* scale = run.value[in.scale] ? run.value[in.scale] + first : nullptr;
    run.kernels->rms_norm(run.row(in.normalized, first, in.width), scale, run.row(in.x, first, in.width),
                          in.norm->data(), last - first, in.width, in.eps);
  };
  out.push_back(std::move(stage));
  Input after;
  after.x = in.normalized;
  after.width = in.width;
  return after;
}

}  // namespace cutaway
