// Rotary frequencies from a file's config keys: plain, linear and Llama 3 scaling.
#include <cmath>

#include "core/error.h"
#include "model/loader.h"

namespace cutaway {
namespace {

constexpr double kPi = 3.14159265358979323846;

// The frequency after Llama 3's scaling: long waves are slowed by `factor`, short ones kept, those between
// blended.
double llama3_scaled(double inv_freq, const RopeScaling& s) {
  const double wavelength = 2.0 * kPi / inv_freq;
  if (wavelength < s.original_n_ctx / s.high_freq_factor) return inv_freq;
  if (wavelength > s.original_n_ctx / s.low_freq_factor) return inv_freq / s.factor;
  const double smooth =
      (s.original_n_ctx / wavelength - s.low_freq_factor) / (s.high_freq_factor - s.low_freq_factor);
  return (1.0 - smooth) * inv_freq / s.factor + smooth * inv_freq;
}

}  // namespace

RopeScaling rope_scaling(const Loader& in, const std::string& at) {
  RopeScaling s;
  const Metadata& m = in.file().metadata;
  std::string said;
  for (const char* name : {"type", "rope_type"})  // Hugging Face has written both
    if (const auto type = m.string(at + name)) {
      if (*type != "none" && *type != "default" && *type != "linear" && *type != "llama3")
        in.fail(text("key '{}{}' is '{}', expected {}, linear or llama3", at, name, *type,
                     in.gguf() ? "none" : "default"));
      if (!said.empty() && said != *type)
        in.fail(text("key '{}{}' is '{}', expected '{}' as '{}type' has it", at, name, *type, said, at));
      said = *type;
      s.type = *type == "default" ? "none" : *type;
    }
  const bool scaled = s.type != "none";
  // What a type needs must be there: a default of ours would be another model than the file's.
  const auto read = [&](const char* name, double& value) {
    const std::string key = at + name;
    value = in.number({key.c_str(), key.c_str()}, 1e-3, 1e9, scaled ? std::nullopt : std::optional(value));
  };
  read("factor", s.factor);
  if (!scaled && s.factor != 1.0)
    in.fail(
        text("key '{}factor' is {}, but no type says how it is applied; expected linear or llama3 as "
             "'{}{}'",
             at, s.factor, at, in.gguf() ? "type" : "rope_type"));
  if (s.type != "llama3") return s;
  read("low_freq_factor", s.low_freq_factor);
  read("high_freq_factor", s.high_freq_factor);
  read("original_max_position_embeddings", s.original_n_ctx);
  if (s.low_freq_factor >= s.high_freq_factor)
    in.fail(text("key '{}low_freq_factor' is {}, expected less than high_freq_factor, {}", at,
                 s.low_freq_factor, s.high_freq_factor));
  return s;
}

Rope make_rope(double base, int64_t d_rot, const RopeScaling& scaling) {
  Rope rope;
  rope.base = base;
  rope.scaling = scaling.type;
  for (int64_t i = 0; i < d_rot; i += 2) {
    double f = std::pow(base, -static_cast<double>(i) / static_cast<double>(d_rot));
    if (scaling.type == "linear") f /= scaling.factor;
    if (scaling.type == "llama3") f = llama3_scaled(f, scaling);
    rope.inv_freq.push_back(static_cast<float>(f));
  }
  return rope;
}

}  // namespace cutaway
