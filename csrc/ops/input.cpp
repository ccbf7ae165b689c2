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

Input rms_norm(const Scope& s, const std::string& name, ValueId x, const std::vector<float>& weight) {
  const std::string of = s.plan.values()[x].name, norm = s.prefix() + name;
  s.plan.reads(x);
  Input in = plain(s.plan, x);
  in.norm = &weight;
  in.eps = s.config.eps;
  in.scale =
      s.declare({.name = name + ".scale", .dims = {{"1", 1}}, .equation = "sqrt(mean(" + of + "^2) + eps)"});
  in.normalized =
      s.declare(name + ".normalized", s.plan.values()[x].dims, of + " / " + norm + ".scale * " + norm + ".w");
  return in;
}

void reads(Plan& p, const Input& in) {
  p.reads(in.x);
  p.reads(in.normalized);
  p.max_cols = std::max(p.max_cols, in.width);
}

bool needs_int8(const Run& run, const Matrix& m) { return run.int8 && run.kernels->quants[m.quant].integer; }

namespace {

kernels::Int8Rows int8_rows(Carver& at, int64_t rows, int64_t cols) {
  const int64_t group = rows == 1 ? 1 : kernels::kRowGroup;
  const int64_t places = (rows + group - 1) / group * group * (cols / kQBlock);
  return {group,
          at.take<int8_t>(places * kQBlock),
          at.take<float>(places),
          at.take<float>(places),
          at.take<float>(places * 2),
          at.take<float>(places),
          at.take<int32_t>(places * 2)};
}

}  // namespace

int64_t prepare_scratch(int64_t max_cols) {
  Carver count;
  count.take<float>(kRowBlock * max_cols);
  int8_rows(count, kRowBlock, max_cols);
  return count.bytes();
}

Prepared prepare(Run& run, const Worker& w, const Input& in, bool want_int8, const Share& share) {
  const kernels::Table& k = *run.kernels;
  const int64_t cols = in.width, rows = share.rows.end - share.rows.begin;
  const float* x = run.row(in.x, share.rows.begin, cols);
  Carver scratch(run.scratch[w.thread]->data());
  Prepared out{x, cols, {}};
  float *normed = nullptr, *scale = nullptr;
  if (in.norm) {
    const bool tapped = share.keeps && run.tapped[in.normalized];
    normed = tapped ? run.row(in.normalized, share.rows.begin, cols) : scratch.take<float>(rows * cols);
    scale = share.keeps ? run.row(in.scale, share.rows.begin, 1) : nullptr;
    out.x = normed;
  }
  if (want_int8) out.int8 = int8_rows(scratch, rows, cols);
  for (int64_t r = 0; r < rows; ++r, x += cols) {  // a row is normed and quantised while it is in L1
    if (in.norm)
      k.rms_norm(normed + r * cols, scale ? scale + r : nullptr, x, in.norm->data(), 1, cols, in.eps);
    if (want_int8) k.quantize(&out.int8, r, out.x + r * cols, 1, cols);
  }
  return out;
}

void run_linear(const Run& run, const Matrix& m, const Prepared& in, Range rows, Range tiles, ValueId out) {
  const Range c = columns(tiles, m);
  if (c.begin >= c.end) return;
  const kernels::Quant& q = run.kernels->quants[m.quant];
  const int64_t n_rows = rows.end - rows.begin, n_out = c.end - c.begin;
  float* to = run.row(out, rows.begin, m.rows) + c.begin;
  if (needs_int8(run, m))
    q.linear_int8(to, m.rows, &in.int8, m.tile(q, tiles.begin), n_rows, m.cols, n_out);
  else
    q.linear_f32(to, m.rows, in.x, in.ld, m.tile(q, tiles.begin), n_rows, m.cols, n_out);
}

Work linear_work(const Run& run, int64_t rows, std::initializer_list<const Matrix*> matrices, int64_t tiles) {
  double ms = 0;
  for (const Matrix* m : matrices) {
    const int64_t per_ms = needs_int8(run, *m) ? run.kernels->int8_per_ms : run.kernels->f32_per_ms;
    ms += static_cast<double>(m->rows) * static_cast<double>(m->cols) / static_cast<double>(per_ms);
  }
  return {rows, ms, tiles};
}

Cost linear_cost(const Run& run, int64_t rows, std::initializer_list<const Matrix*> matrices) {
  Cost cost;
  if (rows == 0) return cost;
  for (const Matrix* m : matrices) {
    cost.flops += 2.0 * static_cast<double>(rows) * static_cast<double>(m->rows * m->cols);
    cost.bytes += static_cast<double>(m->n_tiles() * run.kernels->quants[m->quant].tile_bytes(m->cols));
  }
  return cost;
}

Work row_work(const Run& run, int64_t rows, int64_t elements) {
  return {rows, static_cast<double>(elements * kElement) / static_cast<double>(run.kernels->f32_per_ms)};
}

Input norm_stage(const Input& in, std::vector<Stage>& out) {
  Stage stage;
  stage.by_row = true;
  stage.writes = {in.scale, in.normalized};
  stage.work = [in](const Run& run) { return row_work(run, run.rows, in.width); };
  stage.run = [in](Run& run, Worker& w) {
    const auto [first, last] = w.share(w.rows);
    run.kernels->rms_norm(run.row(in.normalized, first, in.width), run.row(in.scale, first, 1),
                          run.row(in.x, first, in.width), in.norm->data(), last - first, in.width, in.eps);
  };
  out.push_back(std::move(stage));
  Input after;
  after.x = in.normalized;
  after.width = in.width;
  return after;
}

}  // namespace cutaway
