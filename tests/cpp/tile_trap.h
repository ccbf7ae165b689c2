// Runs AMX instructions on a processor that has none: each raises SIGILL, and the handler decodes it and lets
// tile_unit.h do the work. So the tests run the very object that a machine with AMX would run. While one of
// these lives, SIGILL is its own; what it cannot decode ends the process with a line that shows the bytes.
#pragma once
#include <signal.h>

namespace cutaway::testing {

class TileTrap {
 public:
  TileTrap();
  ~TileTrap();
  TileTrap(const TileTrap&) = delete;
  TileTrap& operator=(const TileTrap&) = delete;

 private:
  struct sigaction before_;
};

}  // namespace cutaway::testing
