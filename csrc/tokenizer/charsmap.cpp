#include "tokenizer/charsmap.h"

#include <cstring>

#include "core/error.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

// A unit of darts-clone: bits 0-7 the label (with bit 31, which only a leaf has), bit 8 "a leaf hangs here",
// bits 10-30 the offset, in 256ths where bit 9 is set. A leaf's value is its lower 31 bits.
uint32_t label(uint32_t unit) { return unit & (1U << 31 | 0xFF); }
bool has_leaf(uint32_t unit) { return unit >> 8 & 1; }
uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1U << 9) >> 6); }
uint32_t value(uint32_t unit) { return unit & 0x7FFFFFFF; }

}  // namespace

Charsmap::Charsmap(std::string_view blob, const std::string& where) {
  if (blob.empty()) return;
  uint32_t size = 0;
  if (blob.size() >= sizeof size) std::memcpy(&size, blob.data(), sizeof size);
  if (blob.size() < sizeof size || size > blob.size() - sizeof size || size % sizeof(uint32_t) != 0 ||
      size == 0) {
    throw FormatError(
        text("{}: its {} bytes begin with {}, the size of its table, expected a multiple of 4 from 4 "
             "to what follows",
             where, blob.size(), size));
  }
  units_.resize(size / sizeof(uint32_t));
  std::memcpy(units_.data(), blob.data() + sizeof size, size);
  replacements_ = blob.substr(sizeof size + size);
  if (!replacements_.empty() && replacements_.back() != '\0') {
    throw FormatError(text("{}: the last of its replacements does not end in NUL", where));
  }
  // Every leaf that a key can reach is the place of a replacement. A damaged table may have loops; a walk
  // that enters no unit twice ends.
  std::vector<bool> seen(units_.size());
  std::vector<uint32_t> open{offset(units_[0])};
  while (!open.empty()) {
    const uint32_t node = open.back();
    open.pop_back();
    for (int byte = 0; byte < 256; ++byte) {
      const uint32_t at = child(node, static_cast<unsigned char>(byte));
      if (at == 0 || seen[at]) continue;
      seen[at] = true;
      open.push_back(at ^ offset(units_[at]));
      if (!has_leaf(units_[at])) continue;
      const uint32_t leaf = open.back();
      const uint32_t to = leaf < units_.size() ? value(units_[leaf]) : 0x80000000;
      if (to >= replacements_.size()) {
        throw FormatError(text("{}: a rule points to byte {} of {} bytes of replacements", where, to,
                               replacements_.size()));
      }
      if (!format::valid_utf8(replacements_.c_str() + to))
        throw FormatError(text("{}: the replacement at byte {} is not valid UTF-8", where, to));
    }
  }
  for (unsigned one = 0; one < 128; ++one) {
    const uint32_t at = child(offset(units_[0]), static_cast<unsigned char>(one));
    if (at == 0) continue;
    ruled_[one] = has_leaf(units_[at]);
    for (unsigned next = 0; next < 128 && !ruled_[one]; ++next)
      ruled_[one] = child(at ^ offset(units_[at]), static_cast<unsigned char>(next)) != 0;
  }
}

uint32_t Charsmap::child(uint32_t node, unsigned char byte) const {
  const uint32_t at = node ^ byte;
  return at < units_.size() && label(units_[at]) == byte ? at : 0;
}

Charsmap::Rule Charsmap::match(std::string_view text, size_t at, bool longest) const {
  Rule found;
  if (units_.empty()) return found;
  uint32_t node = offset(units_[0]);
  for (size_t i = at; i < text.size(); ++i) {
    const uint32_t next = child(node, static_cast<unsigned char>(text[i]));
    if (next == 0) break;
    node = next ^ offset(units_[next]);
    if (!has_leaf(units_[next])) continue;
    const uint32_t to = node < units_.size() ? value(units_[node]) : 0x80000000;
    if (to >= replacements_.size()) break;
    found = {static_cast<uint32_t>(i + 1 - at), replacements_.c_str() + to};
    if (!longest) break;
  }
  return found;
}

}  // namespace cutaway
