#include "tokenizer/spm_normalizer.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <algorithm>

#include "tokenizer/unicode.h"

namespace cutaway {

std::string with_spaces(std::string_view piece) {
  std::string out;
  out.reserve(piece.size());
  for (size_t i = 0; i < piece.size();) {
    const bool mark = piece.substr(i, kSpaceMark.size()) == kSpaceMark;
    out.push_back(mark ? ' ' : piece[i]);
    i += mark ? kSpaceMark.size() : 1;
  }
  return out;
}

SpmNormalizer::SpmNormalizer(const SpmNormalizerSpec& spec, const std::vector<std::string>& user_defined,
                             const Options& options, const std::string& where)
    : spec_(spec), options_(options), charsmap_(spec.charsmap, where) {
  spec_.charsmap.clear();
  std::vector<std::pair<std::string_view, int32_t>> keys;
  for (const std::string& piece : user_defined) keys.emplace_back(piece, 0);
  user_defined_ = ByteTrie(std::move(keys));
  for (unsigned b = 0; b < 128; ++b) {
    const auto byte = static_cast<unsigned char>(b);
    const bool is_plain =
        charsmap_.plain_ascii(byte) && user_defined_.step(ByteTrie::kRoot, byte) == ByteTrie::kNone;
    (b == ' ' ? plain_space_ : plain_[b]) = is_plain;
  }
  keeps_all_ =
      charsmap_.empty() && user_defined.empty() && options_.keep_invalid && !spec_.remove_extra_whitespaces;
  plain_print_ = std::all_of(plain_ + '!', plain_ + '~' + 1, [](bool plain) { return plain; });
}

size_t SpmNormalizer::plain_end(std::string_view text, size_t at, bool after_space) const {
  if (keeps_all_)
    return spec_.escape_whitespaces ? std::min(text.find(kSpaceMark, at), text.size()) : text.size();
  const bool trims = spec_.remove_extra_whitespaces;
  size_t end = at;
  while (end < text.size()) {
#ifdef __SSE2__
    // 16 bytes of print and single spaces, and one more, so that nothing beyond ASCII follows them.
    while (plain_print_ && plain_space_ && end + 17 <= text.size()) {
      const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + end));
      const unsigned print = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpgt_epi8(v, _mm_set1_epi8(' '))));
      const unsigned del = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(127))));
      const unsigned space = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_set1_epi8(' '))));
      const unsigned doubled = trims ? space & (space << 1 | unsigned{after_space}) : 0;
      if (((print | space) & ~del & ~doubled) != 0xFFFF || static_cast<unsigned char>(text[end + 16]) > 127)
        break;
      after_space = space >> 15;
      end += 16;
    }
#endif
    const auto byte = static_cast<unsigned char>(text[end]);
    const bool stays = byte < 128 && (byte == ' ' ? plain_space_ && !(trims && after_space) : plain_[byte]);
    if (!stays || (end + 1 < text.size() && static_cast<unsigned char>(text[end + 1]) > 127)) break;
    after_space = byte == ' ';
    ++end;
  }
  return end;
}

SpmNormalizer::Part SpmNormalizer::next(std::string_view text, size_t at) const {
  if (const ByteTrie::Match match = user_defined_.longest(text, at); match.value >= 0)
    return {text.substr(at, match.bytes), match.bytes};
  if (const Charsmap::Rule rule = charsmap_.longest(text, at); rule.bytes > 0) return {rule.to, rule.bytes};
  const Utf8Step step = utf8_step(text, at);
  if (step.ok) return {text.substr(at, step.bytes), step.bytes};
  return {options_.keep_invalid ? text.substr(at, 1) : std::string_view("\xEF\xBF\xBD"), 1};
}

void SpmNormalizer::normalize(std::string_view text, std::string& out, std::vector<uint32_t>* origin) const {
  size_t at = 0;
  const size_t first = out.size();
  const bool trims = spec_.remove_extra_whitespaces;
  while (trims && at < text.size()) {
    const Part part = next(text, at);
    if (part.to != " ") break;
    at += part.bytes;
  }
  const auto put = [&](std::string_view bytes) {
    out.append(bytes);
    if (origin) origin->insert(origin->end(), bytes.size(), static_cast<uint32_t>(at));
  };
  if (at < text.size()) {
    if (adds_prefix()) put(" ");
    for (bool after_space = trims; at < text.size();) {
      if (const size_t end = plain_end(text, at, after_space); end > at) {
        out.append(text, at, end - at);
        for (; origin && at < end; ++at) origin->push_back(static_cast<uint32_t>(at));
        at = end;
        after_space = trims && text[end - 1] == ' ';
        continue;
      }
      const Part part = next(text, at);
      std::string_view to = part.to;
      while (after_space && to.starts_with(' ')) to.remove_prefix(1);
      if (!to.empty()) {
        after_space = trims && to.ends_with(' ');
        // A literal U+2581 counts as a space from here on, but not for what trims spaces.
        spec_.escape_whitespaces&& to.find(kSpaceMark) != std::string_view::npos ? put(with_spaces(to))
                                                                                 : put(to);
      }
      at += part.bytes;
    }
    while (trims && out.size() > first && out.back() == ' ') {
      out.pop_back();
      if (origin) at = origin->back(), origin->pop_back();
    }
    if (spec_.add_dummy_prefix && options_.whitespace_as_suffix) put(" ");
  }
  if (origin) origin->push_back(static_cast<uint32_t>(at));
}

}  // namespace cutaway
