#include "tokenizer/open_tokenizer.h"

#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"

namespace cutaway {
namespace {

constexpr uint64_t kHead = 4096, kLongestFile = uint64_t{1} << 30;  // bytes

struct Kind {
  bool (*is)(const std::string& path, std::string_view head);
  std::shared_ptr<Tokenizer> (*open)(const std::string& path, const OpenOptions& options);
  const char *what, *takes;
};
constexpr Kind kKinds[] = {
#define TOKENIZER_FILE(function, what, takes) {&is_##function, &open_##function, what, takes},
#include "tokenizer/tokenizer_files.def"
#undef TOKENIZER_FILE
};

// An option that a file of this kind has no use for is a mistake.
void check_options(const std::string& path, const Kind& kind, const OpenOptions& options) {
  const auto check = [&](bool given, std::string_view name) {
    if (given && std::string_view(kind.takes).find(name) == std::string_view::npos)
      throw ArgumentError(
          text("{}: {} has no meaning for this file ({}), which says itself how text is cut; leave it out",
               format::shown(path), name, kind.what));
  };
  check(!options.pattern.empty(), "pattern");
  check(!options.encoding.empty(), "encoding");
  check(options.lowercase.has_value(), "lowercase");
}

}  // namespace

bool is_gguf_vocabulary(const std::string&, std::string_view head) { return head.substr(0, 4) == "GGUF"; }
std::shared_ptr<Tokenizer> open_gguf_vocabulary(const std::string& path, const OpenOptions&) {
  return make_tokenizer(open_checkpoint(path).metadata);
}

std::string whole_tokenizer_file(const std::string& path) {
  const format::File file(path);
  if (file.size() > kLongestFile) {
    throw FormatError(text("{}: has {} bytes, expected a tokenizer file of at most {}", format::shown(path),
                           file.size(), kLongestFile));
  }
  std::string all(static_cast<size_t>(file.size()), '\0');
  file.read(0, all.size(), all.data());
  return all;
}

std::shared_ptr<Tokenizer> open_tokenizer(const std::string& path, const OpenOptions& options) {
  std::string head;
  if (!std::filesystem::is_directory(path)) {
    const format::File file(path);
    head.resize(static_cast<size_t>(std::min(kHead, file.size())));
    file.read(0, head.size(), head.data());
  }
  std::string names;
  for (const Kind& kind : kKinds) {
    if (kind.is(path, head)) {
      check_options(path, kind, options);
      return kind.open(path, options);
    }
    names += (names.empty() ? "" : "; ") + std::string(kind.what);
  }
  throw FormatError(
      text("{}: holds no tokenizer that can be read; supported are: {}", format::shown(path), names));
}

}  // namespace cutaway
