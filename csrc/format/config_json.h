// config.json as Metadata: nested objects are flattened, "rope_scaling": {"factor": 8} is the key
// rope_scaling.factor.
#pragma once
#include <string>

#include "format/checkpoint.h"

namespace cutaway::format {

Metadata read_config(const std::string& path);

}  // namespace cutaway::format
