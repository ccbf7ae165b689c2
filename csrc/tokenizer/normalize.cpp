#include "tokenizer/normalize.h"

#include <algorithm>
#include <array>
#include <span>
#include <unordered_map>

#include "tokenizer/unicode.h"

namespace cutaway {
namespace {

#include "tokenizer/normalize_tables.inc"

// Hangul syllables are made by arithmetic (Unicode 16, section 3.12).
constexpr char32_t kS = 0xAC00, kL = 0x1100, kV = 0x1161, kT = 0x11A7;
constexpr uint32_t kSCount = 11172, kLCount = 19, kVCount = 21, kTCount = 28;

struct Mark {
  char32_t cp;
  uint8_t ccc;
};

bool listed(std::span<const uint32_t> ranges, char32_t cp) {  // first, last, first, last, ...
  size_t low = 0, high = ranges.size() / 2;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (ranges[2 * middle + 1] < cp) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return 2 * low < ranges.size() && ranges[2 * low] <= cp;
}

// One generation of the tables: Unicode 16, or what the library knows of it.
class Forms {
 public:
  explicit Forms(bool as_library) {
    const auto known = [&](char32_t cp) { return !as_library || !listed(kUnknown, cp); };
    for (size_t i = 0; i < std::size(kCombining); ++i) {
      const uint32_t last = i + 1 < std::size(kCombining) ? kCombining[i + 1] >> 8 : 0x110000;
      for (uint32_t cp = kCombining[i] >> 8; (kCombining[i] & 255) && cp < last; ++cp) {
        if (known(cp)) flags_at(cp) |= kMarked, ccc_[cp] = static_cast<uint8_t>(kCombining[i] & 255);
      }
    }
    for (size_t i = 0; i < std::size(kMapped);) {
      const uint32_t head = kMapped[i++], n = head >> 22;
      if (known(head & 0x1FFFFF)) add(head & 0x3FFFFF, {kMapped + i, kMapped + i + n});
      i += n;
    }
    for (size_t i = 0; i < std::size(kShifted); i += 3) {
      for (uint32_t k = 0; k < kShifted[i + 2]; ++k) {
        if (known((kShifted[i] & 0x1FFFFF) + k)) add(kShifted[i] + k, {kShifted[i + 1] + k});
      }
    }
    for (const auto& [cp, to] : canonical_) {
      if (to.size() != 2 || std::binary_search(std::begin(kNeverComposed), std::end(kNeverComposed), cp)) {
        continue;
      }
      pairs_[uint64_t{to[0]} << 32 | to[1]] = cp;
      flags_at(to[1]) |= kSecond;
    }
    for (char32_t cp = kS; cp < kS + kSCount; ++cp) flags_at(cp) |= kCanonical;
    for (char32_t cp = kV; cp < kV + kVCount; ++cp) flags_at(cp) |= kSecond;
    for (char32_t cp = kT + 1; cp < kT + kTCount; ++cp) flags_at(cp) |= kSecond;
  }

  // May this character change, or what stands before it because of it?
  bool inert(char32_t cp, bool compatible) const {
    const uint8_t has = flags(cp);
    return !(has & (kMarked | kSecond | kCanonical | (compatible ? kCompatible : 0)));
  }
  // Does nothing before this character take part in what becomes of it?
  bool begins(char32_t cp, bool compatible) const {
    if (inert(cp, compatible)) return true;
    if (flags(cp) & (kMarked | kSecond)) return false;
    const std::vector<uint32_t>* to = mapping(cp, compatible);
    return !to || begins((*to)[0], compatible);
  }
  void decompose(char32_t cp, bool compatible, std::vector<Mark>& out) const {
    if (cp >= kS && cp < kS + kSCount) {
      const uint32_t s = cp - kS, t = s % kTCount;
      out.push_back({kL + s / (kVCount * kTCount), 0});
      out.push_back({kV + s % (kVCount * kTCount) / kTCount, 0});
      if (t) out.push_back({kT + t, 0});
    } else if (const std::vector<uint32_t>* to = mapping(cp, compatible)) {
      for (const uint32_t part : *to) decompose(part, compatible, out);
    } else {
      out.push_back({cp, ccc(cp)});
    }
  }
  char32_t composed(char32_t left, char32_t right) const {  // 0: none
    if (left >= kL && left < kL + kLCount && right >= kV && right < kV + kVCount) {
      return kS + ((left - kL) * kVCount + (right - kV)) * kTCount;
    }
    if (left >= kS && left < kS + kSCount && (left - kS) % kTCount == 0 && right > kT &&
        right < kT + kTCount) {
      return left + (right - kT);
    }
    const auto it = pairs_.find(uint64_t{left} << 32 | right);
    return it == pairs_.end() ? 0 : it->second;
  }

 private:
  static constexpr uint8_t kMarked = 1, kCanonical = 2, kCompatible = 4, kSecond = 8;

  uint8_t flags(char32_t cp) const { return cp < flags_.size() ? flags_[cp] : 0; }
  uint8_t& flags_at(char32_t cp) {
    if (cp >= flags_.size()) flags_.resize(cp + 1);
    return flags_[cp];
  }
  uint8_t ccc(char32_t cp) const { return flags(cp) & kMarked ? ccc_.at(cp) : 0; }
  void add(uint32_t head, std::vector<uint32_t> to) {
    const char32_t cp = head & 0x1FFFFF;
    const bool compatible = head >> 21 & 1;
    flags_at(cp) |= compatible ? kCompatible : kCanonical;
    (compatible ? compatible_ : canonical_)[cp] = std::move(to);
  }
  const std::vector<uint32_t>* mapping(char32_t cp, bool compatible) const {
    const uint8_t has = flags(cp);
    const auto* table = has & kCanonical                  ? &canonical_
                        : compatible && has & kCompatible ? &compatible_
                                                          : nullptr;
    const auto it = table ? table->find(cp) : canonical_.end();
    return table && it != table->end() ? &it->second : nullptr;
  }

  std::vector<uint8_t> flags_;  // up to the last character that has any
  std::unordered_map<char32_t, uint8_t> ccc_;
  std::unordered_map<char32_t, std::vector<uint32_t>> canonical_, compatible_;
  std::unordered_map<uint64_t, char32_t> pairs_;
};

const Forms& library_forms() {
  static const Forms forms(true);
  return forms;
}
const Forms& unicode_forms() {
  static const Forms forms(false);
  return forms;
}

// Canonical composition: each mark joins the last starter, unless one of its class or higher stands between.
void compose(const Forms& forms, std::vector<Mark>& row) {
  size_t kept = 0, starter = row.size();
  int last_class = -1;  // of the mark before, since the starter
  for (const Mark mark : row) {
    const char32_t joined = starter < kept && last_class < static_cast<int>(mark.ccc)
                                ? forms.composed(row[starter].cp, mark.cp)
                                : 0;
    if (joined) {
      row[starter].cp = joined;
      continue;
    }
    if (mark.ccc == 0) {
      starter = kept;
      last_class = -1;
    } else {
      last_class = mark.ccc;
    }
    row[kept++] = mark;
  }
  row.resize(kept);
}

// First, step, count, difference.
char32_t lower(char32_t cp) {
  size_t low = 0, high = std::size(kLower) / 4;
  while (low < high) {  // the last run that begins at cp or before; runs of step 2 do not overlap others' cp
    const size_t middle = (low + high) / 2;
    if (static_cast<char32_t>(kLower[4 * middle]) <= cp) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (size_t back = 0; back < 2 && low > back; ++back) {  // two runs of step 2 may be interleaved
    const int32_t* run = kLower + 4 * (low - 1 - back);
    const int32_t along = static_cast<int32_t>(cp) - run[0];
    if (along % run[1] == 0 && along / run[1] < run[2]) return cp + run[3];
  }
  return cp;
}

}  // namespace

void normalize(AlignedText& text, Form form, bool as_library) {
  const Forms& forms = as_library ? library_forms() : unicode_forms();
  const bool compatible = form == Form::nfkc || form == Form::nfkd;
  const bool composes = form == Form::nfc || form == Form::nfkc;
  const std::string_view from = text.view();
  Rewriter rewriter(text);
  std::vector<Mark> row;
  std::string out;
  const auto ascii = [&](size_t i) { return i == from.size() || static_cast<unsigned char>(from[i]) < 0x80; };
  for (size_t at = 0; at < from.size();) {
    if (ascii(at) && ascii(at + 1)) {  // nothing can join it
      ++at;
      continue;
    }
    // A segment: up to the next character that nothing before it takes part in.
    Utf8Step step = utf8_step(from, at);
    const size_t begin = at;
    at += step.bytes;
    if (!step.ok) continue;
    const bool alone = forms.inert(step.cp, compatible);
    row.clear();
    forms.decompose(step.cp, compatible, row);
    size_t characters = 1;
    while (at < from.size() && static_cast<unsigned char>(from[at]) >= 0x80) {
      step = utf8_step(from, at);
      if (!step.ok || forms.begins(step.cp, compatible)) break;
      forms.decompose(step.cp, compatible, row);
      at += step.bytes;
      ++characters;
    }
    if (alone && characters == 1) continue;
    for (size_t i = 0; i < row.size();) {  // marks in the order of their classes
      if (row[i].ccc == 0) {
        ++i;
        continue;
      }
      size_t end = i;
      while (end < row.size() && row[end].ccc != 0) ++end;
      std::stable_sort(row.begin() + i, row.begin() + end,
                       [](const Mark& a, const Mark& b) { return a.ccc < b.ccc; });
      i = end;
    }
    if (composes) compose(forms, row);
    out.clear();
    for (const Mark& mark : row) utf8_append(out, mark.cp);
    rewriter.replace(begin, at, out);
  }
  rewriter.finish();
}

void append_lower(std::string& out, char32_t cp) {
  if (cp == 0x130) {
    out += "i\xCC\x87";
  } else {
    utf8_append(out, lower(cp));
  }
}

bool is_mark(char32_t cp) {
  const Category c = category(cp);
  return (c >= Category::Mc && c <= Category::Mn) != listed(kMarkDiffers, cp);
}
bool is_nonspacing(char32_t cp) { return (category(cp) == Category::Mn) != listed(kNonspacingDiffers, cp); }
bool is_control(char32_t cp) {
  const Category c = category(cp);
  const bool kept = cp == '\t' || cp == '\n' || cp == '\r';
  const bool is = cp == 0xFFFD || (c >= Category::Cc && c <= Category::Cs && !kept);
  return is != listed(kControlDiffers, cp);
}
bool is_punctuation(char32_t cp) {
  if (cp < 0x80) return cp > ' ' && cp < 0x7F && !is_letter(category(cp)) && !is_number(category(cp));
  const Category c = category(cp);
  return (c >= Category::Pc && c <= Category::Ps) != listed(kPunctuationDiffers, cp);
}
bool is_numeric(char32_t cp) { return is_number(category(cp)) != listed(kNumericDiffers, cp); }

bool is_word(char32_t cp) {
  const Category c = category(cp);
  if (is_letter(c) || (c >= Category::Mc && c <= Category::Nl) || c == Category::Pc) return true;
  // Join_Control, and the letters in circles and squares, which alone are Alphabetic and no letters.
  return cp == 0x200C || cp == 0x200D || (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149) ||
         (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189);
}

uint32_t script_number(char32_t cp) {
  const auto after = std::upper_bound(std::begin(kScripts), std::end(kScripts), cp << 8 | 255);
  return after == std::begin(kScripts) ? 0 : *(after - 1) & 255;
}

}  // namespace cutaway
