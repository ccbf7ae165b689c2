#include "ops/scope.h"

namespace cutaway {

std::string Scope::local_name(ValueId id) const { return plan.values()[id].name.substr(prefix().size()); }

ValueId Scope::declare(Value value) const {
  if (!value.name.empty()) value.name = prefix() + value.name;
  value.layer = layer;
  return plan.name(std::move(value));
}

ValueId Scope::declare(const std::string& name, const Dims& dims, const std::string& equation,
                       ValueKind kind) const {
  return declare({.name = name, .kind = kind, .dims = dims, .equation = equation, .replaceable = true});
}

}  // namespace cutaway
