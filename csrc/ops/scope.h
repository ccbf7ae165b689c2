// How a recipe and its ops declare values.
#pragma once
#include <string>
#include <vector>

#include "model/plan.h"

namespace cutaway {

// Where a recipe stands: the plan that it adds to, and the block whose values it names (-1: none).
struct Scope {
  Plan& plan;
  const Config& config;
  int layer = -1;

  using Dims = std::vector<std::pair<std::string, int64_t>>;
  std::string prefix() const { return layer < 0 ? "" : "blocks." + std::to_string(layer) + "."; }
  std::string local_name(ValueId id) const;  // without the prefix
  // Adds a phase of this layer to the plan.
  template <class P, class... Args>
  void phase(const std::string& label, Args&&... args) const {
    auto p = std::make_unique<P>(std::forward<Args>(args)...);
    p->label = label, p->layer = layer;
    plan.add(std::move(p));
  }
  // Declares a value of the next phase; its name, where it has one, gets the prefix.
  ValueId declare(Value value) const;
  // The usual one: hooks may replace it.
  ValueId declare(const std::string& name, const Dims& dims, const std::string& equation,
                  ValueKind kind = ValueKind::rows) const;
};

}  // namespace cutaway
