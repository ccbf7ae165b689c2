// The working memory of one call. Kept between calls, its buffers in the pool, so that a decode step makes no
// large allocation.
#pragma once
#include "model/model.h"

namespace cutaway {

struct Model::State {
  Run run;
  std::shared_ptr<Buffer> arena;  // by value: [rows, width], then brief ones
  std::vector<int32_t> tokens;
  std::vector<int64_t> positions;
};

}  // namespace cutaway
