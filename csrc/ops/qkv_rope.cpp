// Queries, keys and values of all heads; their norms and rotation; the append to the KV cache.
#include "ops/ops.h"

namespace cutaway {
namespace {

struct Names {
  ValueId q, k, v, rot_q, rot_k;
};

class QkvRope final : public Phase {
 public:
  QkvRope(const Config& c, int layer, const Input& in, const AttentionWeights& w, const Names& n)
      : c_(c), layer_(layer), in_(in), w_(w), n_(n) {}

  void schedule(const Hooks& hooks, std::vector<Stage>& stages) const override {
    Input in = in_;
    if (in.norm && hooks.count(in.normalized)) in = norm_stage(in, stages);
    Stage linear;
    linear.by_row = true;
    linear.work = [this](const Run& run) {
      return linear_work(run, run.rows, {w_.W_Q, w_.W_K, w_.W_V}, n_tiles());
    };
    linear.run = [this, in](Run& run, Worker& w) {
      share_linear(w, [&](const Share& share) { project(run, w, share, in); });
    };
    if (in.norm) linear.writes = {in.scale, in.normalized};
    stages.push_back(std::move(linear));

    // norm | rotate | store: one stage, cut where a hook looks in.
    const bool cut_qkv = hooks.count(n_.q) || hooks.count(n_.k) || hooks.count(n_.v);
    const bool cut_rot = hooks.count(n_.rot_q) || hooks.count(n_.rot_k);
    const auto push = [&](bool norm, bool rotate, bool keep, std::vector<ValueId> writes) {
      Stage s;
      s.by_row = true;
      s.writes = std::move(writes);
      s.work = [this](const Run& run) {
        return row_work(run, run.rows, (c_.n_heads + 2 * c_.n_kv_heads) * c_.d_head);
      };
      s.run = [this, norm, rotate, keep](Run& run, Worker& w) { heads(run, w, norm, rotate, keep); };
      stages.push_back(std::move(s));
    };
    std::vector<ValueId> done = {n_.q, n_.k, n_.v};
    if (cut_qkv) push(true, false, false, done), done.clear();
    done.insert(done.end(), {n_.rot_q, n_.rot_k});
    if (cut_rot)
      push(!cut_qkv, true, false, done), push(false, false, true, {});
    else
      push(!cut_qkv, true, true, done);
  }

  Cost cost(const Run& run) const override { return linear_cost(run, run.rows, {w_.W_Q, w_.W_K, w_.W_V}); }

 private:
  int64_t n_tiles() const { return w_.W_Q->n_tiles() + w_.W_K->n_tiles() + w_.W_V->n_tiles(); }

  // The three projections as one list of tiles.
  void project(Run& run, const Worker& w, const Share& share, const Input& in) const {
    const Matrix* m[3] = {w_.W_Q, w_.W_K, w_.W_V};
    const ValueId out[3] = {n_.q, n_.k, n_.v};
    const bool int8 = needs_int8(run, *m[0]) || needs_int8(run, *m[1]) || needs_int8(run, *m[2]);
    const Prepared x = prepare(run, w, in, int8, share);
    auto [begin, end] = share.tiles;
    for (int i = 0; i < 3; ++i) {
      const int64_t n = m[i]->n_tiles();
      run_linear(run, *m[i], x, share.rows, {std::min(begin, n), std::min(end, n)}, out[i]);
      begin = std::max<int64_t>(begin - n, 0);
      end = std::max<int64_t>(end - n, 0);
    }
  }

  // Units are (row, head), heads counted through q, k, v.
  void heads(Run& run, Worker& w, bool norm, bool rotate, bool keep) const {
    const int64_t per_row = c_.n_heads + 2 * c_.n_kv_heads;
    const auto [first, last] = w.share({w.rows.begin * per_row, w.rows.end * per_row});
    size_t part = 0;
    for (int64_t u = first; u < last; ++u) {
      const int64_t r = u / per_row, h = u % per_row;
      while (r >= run.parts[part].first_row + run.parts[part].rows) ++part;
      if (h < c_.n_heads)
        head(run, r, h, c_.n_heads, n_.q, n_.rot_q, w_.b_Q, w_.q_norm, norm, rotate);
      else if (h < c_.n_heads + c_.n_kv_heads) {
        const int64_t kv = h - c_.n_heads;
        head(run, r, kv, c_.n_kv_heads, n_.k, n_.rot_k, w_.b_K, w_.k_norm, norm, rotate);
        if (keep) store(run, r, kv, run.parts[part], true);
      } else {
        const int64_t kv = h - c_.n_heads - c_.n_kv_heads;
        head(run, r, kv, c_.n_kv_heads, n_.v, kNoValue, w_.b_V, nullptr, norm, false);
        if (keep) store(run, r, kv, run.parts[part], false);
      }
    }
  }

  void head(Run& run, int64_t r, int64_t h, int64_t heads, ValueId raw, ValueId rotated,
            const std::vector<float>* bias, const std::vector<float>* weight, bool norm, bool rotate) const {
    const kernels::Table& k = *run.kernels;
    const int64_t d = c_.d_head;
    float* x = run.row(raw, r, heads * d) + h * d;
    if (norm && bias) k.add(x, x, bias->data() + h * d, d);
    if (norm && weight) k.rms_norm(x, nullptr, x, weight->data(), 1, d, c_.eps);
    if (rotate) {
      const int rope = c_.layers[layer_].rope;
      const int64_t half = static_cast<int64_t>(c_.ropes[rope].inv_freq.size());
      const float* cos = run.cos_sin.data() + run.cos_at[rope] + r * half;
      k.rope(run.row(rotated, r, heads * d) + h * d, x, cos, cos + run.rows * half, 1, d, half,
             c_.ropes[rope].halves);
    }
  }

  void store(Run& run, int64_t r, int64_t kv, const SequencePart& part, bool key) const {
    const KvShape& shape = part.cache->shape();
    const int64_t position = part.position + r - part.first_row, d = c_.d_head;
    const int64_t block = position / kernels::kKvBlock, slot = position % kernels::kKvBlock;
    bool overflow = false;
    if (key) {
      char* tile = part.cache->k(block, layer_, kv) + slot / kernels::kLanes * shape.tile_bytes();
      run.kernels->store_k(tile, run.row(n_.rot_k, r, c_.n_kv_heads * d) + kv * d, slot % kernels::kLanes, d,
                           shape.type, &overflow);
    } else {
      char* row = part.cache->v(block, layer_, kv) + slot * shape.row_bytes();
      run.kernels->store_v(row, run.row(n_.v, r, c_.n_kv_heads * d) + kv * d, d, shape.type, &overflow);
    }
    if (overflow) run.overflow.store(key ? n_.rot_k : n_.v, std::memory_order_relaxed);
  }

  const Config& c_;
  int layer_;
  Input in_;
  AttentionWeights w_;
  Names n_;
};

}  // namespace

ValueId qkv_rope(const Scope& s, const Input& in, const AttentionWeights& w) {
  const Config& c = s.config;
  const std::string x = s.plan.values()[in.rows()].name;
  const auto formula = [&](const std::string& letter, bool bias, bool norm) {
    const std::string f = x + " @ W_" + letter + (bias ? " + b_" + letter : "");
    return norm ? "rms_norm(" + f + ")" : f;
  };
  const Scope::Dims query = {{"n_heads", c.n_heads}, {"d_head", c.d_head}},
                    key = {{"n_kv_heads", c.n_kv_heads}, {"d_head", c.d_head}};
  Names n;
  n.q = s.declare("attn.q", query, formula("Q", w.b_Q, w.q_norm));
  n.k = s.declare("attn.k", key, formula("K", w.b_K, w.k_norm));
  n.v = s.declare("attn.v", key, formula("V", w.b_V, false));
  n.rot_q = s.declare("attn.rot_q", query, "rope(q, pos)");
  n.rot_k = s.declare("attn.rot_k", key, "rope(k, pos)");
  reads(s.plan, in);
  s.phase<QkvRope>("qkv_rope", c, s.layer, in, w, n);
  return n.rot_q;
}

}  // namespace cutaway
