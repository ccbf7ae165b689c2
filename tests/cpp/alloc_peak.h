// The peak of what operator new hands out while an AllocPeak lives, for tests that bound memory.
#pragma once
#include <cstddef>

namespace cutaway::testing {

class AllocPeak {
 public:
  AllocPeak();
  ~AllocPeak();
  size_t bytes() const;  // the most that was allocated at once since construction; 0 under a
                         // sanitizer, which has an allocator of its own
};

}  // namespace cutaway::testing
