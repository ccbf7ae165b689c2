#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "format/file.h"
#include "format/utf8.h"
#include "tokenizer/open_tokenizer.h"

namespace cutaway {
namespace {

struct Kind {
  const char* what;
  bool (*is)(const std::string& path, std::string_view head);
  std::shared_ptr<Tokenizer> (*open)(const std::string& path);
};
constexpr Kind kKinds[] = {
#define TOKENIZER_FILE(function, what) {what, &is_##function, &open_##function},
#include "tokenizer/tokenizer_files.def"
#undef TOKENIZER_FILE
};
constexpr uint64_t kHead = 4096;  // bytes that tell a file

}  // namespace

bool is_gguf_vocabulary(const std::string&, std::string_view head) { return head.substr(0, 4) == "GGUF"; }
std::shared_ptr<Tokenizer> open_gguf_vocabulary(const std::string& path) {
  return make_tokenizer(open_checkpoint(path).metadata);
}

std::shared_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  std::string head;
  if (!std::filesystem::is_directory(path)) {
    const format::File file(path);
    head.resize(static_cast<size_t>(std::min(kHead, file.size())));
    file.read(0, head.size(), head.data());
  }
  std::string names;
  for (const Kind& kind : kKinds) {
    if (kind.is(path, head)) return kind.open(path);
    names += (names.empty() ? "" : "; ") + std::string(kind.what);
  }
  throw FormatError(text("{}: holds no tokenizer that can be read; supported are: {}", format::shown(path), names));
}

}  // namespace cutaway
