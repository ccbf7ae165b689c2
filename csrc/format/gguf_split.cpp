// A model in several GGUF files, as llama.cpp's gguf-split and the gguf package write them:
// <stem>-00001-of-00003.gguf and so on, each a whole GGUF file with the keys split.no (from 0), split.count
// and split.tensors.count (of all parts together). The first part has the model's keys, too. What is in a
// later part besides must be the first part's.
#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "format/gguf.h"
#include "format/names.h"
#include "format/utf8.h"

namespace cutaway::format {
namespace {

constexpr const char* kNumber = "split.no";
constexpr const char* kCount = "split.count";
constexpr const char* kTensors = "split.tensors.count";
constexpr const char* kAlignment = "general.alignment";  // each file's own affair
constexpr size_t kDigits = 5;
constexpr uint64_t kMaxParts = 99999;

[[noreturn]] void fail(const std::string& path, const std::string& problem) {
  throw FormatError(text("{}: {}", shown(path), problem));
}

uint64_t need(const Metadata& metadata, const char* key) {
  const auto value = metadata.u64(key);
  if (!value) fail(metadata.path(), text("key '{}' is missing from a part of a model", key));
  return *value;
}

std::string digits(uint64_t n) {
  const std::string out = std::to_string(n);
  return std::string(kDigits - std::min(kDigits, out.size()), '0') + out;
}

std::string plain_name(const std::string& path) { return std::filesystem::path(path).filename().string(); }

// The name of a part as its keys have it, with the stem of its path.
PartName named(const GgufFile& part) {
  const std::string& path = part.file.path();
  const uint64_t from_0 = need(part.metadata, kNumber), count = need(part.metadata, kCount);
  if (count > kMaxParts) fail(path, text("key '{}' is {}, expected at most {}", kCount, count, kMaxParts));
  if (from_0 >= count)
    fail(path, text("key '{}' is {}, expected less than {}, the '{}'", kNumber, from_0, count, kCount));
  const uint64_t number = from_0 + 1;
  const std::optional<PartName> found = part_name(path);
  if (!found || found->number != number || found->count != count)
    fail(path, text("is part {} of {} by its keys '{}' and '{}', expected a name that ends with "
                    "-{}-of-{}.gguf: the other parts are found by their names, give the files their own back",
                    number, count, kNumber, kCount, digits(number), digits(count)));
  return *found;
}

void check_all_there(const std::string& given, PartName name) {
  std::string missing;
  for (int found = 0; name.number = name.number % name.count + 1, name.path() != given;) {
    std::error_code failed;
    if (std::filesystem::exists(name.path(), failed)) continue;
    if (++found > 3) {
      missing += " and others";
      break;
    }
    missing += (found > 1 ? ", " : "") + shown(plain_name(name.path()));
  }
  if (missing.empty()) return;
  fail(given, text("one of {} parts of a model, which lacks {}; fetch what is missing into the same folder",
                   name.count, missing));
}

// Keys of a later part are the first part's, but for its number and the alignment of its tensors. Not by
// Metadata::find, which would make of each a key that somebody has understood.
void check_same_model(const GgufFile& first, const GgufFile& part) {
  const auto& known = first.metadata.items();
  const auto name_of = [&](uint32_t i) -> const std::string& { return known[i].first; };
  const std::vector<uint32_t> order = sort_names(known.size(), name_of);
  for (const auto& [key, value] : part.metadata.items()) {
    if (key == kNumber || key == kAlignment) continue;
    const auto at = find_name(order, key, name_of);
    if (at && known[*at].second.type == value.type && known[*at].second.value == value.value) continue;
    fail(part.file.path(),
         text("key '{}' {} {}; these are not parts of one model, fetch them again from one place", shown(key),
              at ? "differs from that of" : "is not in", shown(plain_name(first.file.path()))));
  }
}

}  // namespace

std::string PartName::path() const { return stem + "-" + digits(number) + "-of-" + digits(count) + ".gguf"; }

std::optional<PartName> part_name(const std::string& path) {
  PartName out;
  const std::string tail = "-00000-of-00000.gguf";
  if (path.size() <= tail.size()) return std::nullopt;
  out.stem = path.substr(0, path.size() - tail.size());
  for (size_t i = 0; i < tail.size(); ++i) {
    const char c = path[out.stem.size() + i];
    const bool digit = c >= '0' && c <= '9';
    if (tail[i] == '0' ? !digit : c != tail[i]) return std::nullopt;
    uint64_t& n = i < tail.size() / 2 ? out.number : out.count;
    if (tail[i] == '0') n = 10 * n + static_cast<uint64_t>(c - '0');
  }
  if (out.number < 1 || out.number > out.count) return std::nullopt;
  return out;
}

// A model that was joined again keeps the keys, with a count of 0 or 1.
bool is_part(const GgufFile& file) {
  if (file.metadata.u64(kCount).value_or(0) > 1) return true;
  const uint64_t number = file.metadata.u64(kNumber).value_or(0), n = file.tensors.size();
  if (number != 0) fail(file.file.path(), text("key '{}' is {}, but there is one part", kNumber, number));
  if (const uint64_t said = file.metadata.u64(kTensors).value_or(n); said != n)
    fail(file.file.path(), text("key '{}' is {}, but the file has {} tensors", kTensors, said, n));
  return false;
}

std::vector<GgufFile> read_parts(GgufFile one) {
  const std::string given = one.file.path();
  const PartName name = named(one);
  check_all_there(given, name);
  std::vector<GgufFile> parts;
  uint64_t n_tensors = 0;
  for (PartName at = name; at.number = parts.size() + 1, at.number <= name.count;) {
    parts.push_back(at.number == name.number ? std::move(one) : read_gguf(at.path()));
    named(parts.back());
    if (parts.size() > 1) check_same_model(parts.front(), parts.back());
    n_tensors += parts.back().tensors.size();
  }
  if (const uint64_t said = need(parts[0].metadata, kTensors); said != n_tensors)
    fail(given, text("the {} parts hold {} tensors, but key '{}' is {}; fetch them again from one place",
                     name.count, n_tensors, kTensors, said));
  return parts;
}

}  // namespace cutaway::format
