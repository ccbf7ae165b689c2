// The memory of one call: buffers for what is traced or hooked, the logits, and the arrays handed out at the
// end.
#pragma once
#include <memory>
#include <vector>

#include "model/model.h"

namespace cutaway {

int64_t total_rows(const Request& request);
int64_t logit_rows(const Request& request, const Sequence& s);
// Values that get buffers of their own, never the arena: what is traced and what is hooked.
std::vector<ValueId> own_buffers(const Plan& plan, const Request& request);
int64_t map_floats(const Request& request, ValueId id, const Value& v, const Sequence& s);

// The queries of a sequence whose scores and patterns are kept: all, unless positions were chosen.
struct KeptQueries {
  explicit KeptQueries(const Sequence& s);
  std::vector<int64_t> queries;  // ascending, each once
  std::vector<int64_t> row_of;   // by query: its place among them, or -1
};

class Call {
 public:
  Call(Model& model, const Request& request);

  // Where row `row` of all logits of the call goes; null when none are asked for.
  float* logits(int64_t row) const {
    return out_.logits_buffer ? out_.logits_buffer->floats() + row * model_.config().d_vocab : nullptr;
  }

  // Points the run, whose ring_rows is set, at this chunk's rows of every value.
  void bind(Run& run, Buffer& arena, int64_t first_row, int64_t arena_rows) const;
  // Shows the hooked values of a finished stage to the hooks. The call is one chunk then.
  void hooks(Run& run, const Stage& stage);
  Output finish();
  // Cuts rows [begin, end) of the call into parts of sequences, with their tokens and positions.
  void set_rows(Run& run, int64_t begin, int64_t end, std::vector<int32_t>& tokens,
                std::vector<int64_t>& positions) const;

 private:
  // Goes on with a copy of a hooked value whose array somebody kept: what they do with it cannot reach the
  // call.
  void replace_buffer(Run& run, ValueId id, size_t sequence);
  Map map_of(ValueId id, size_t sequence) const;
  // Keeps the chosen rows of `axis` in a buffer of their own.
  void pick(Traced& t, const std::vector<int64_t>& positions, size_t axis) const;
  // A hook must leave masked keys masked: 0 in a pattern, -inf in scores.
  void check_map(const Value& v, const Hooked& e, int64_t past) const;

  Model& model_;
  const Plan& plan_;
  const Request& request_;
  Output out_;
  int64_t total_ = 0, logits_ = 0;
  std::vector<int64_t> first_, first_logit_;
  std::vector<std::shared_ptr<Buffer>> rows_;               // by value: [total, width]
  std::vector<std::vector<std::shared_ptr<Buffer>>> maps_;  // by value, then sequence
  std::vector<KeptQueries> kept_;                           // by sequence
};

}  // namespace cutaway
