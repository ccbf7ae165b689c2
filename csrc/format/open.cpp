// open_checkpoint: which container is it? By content first, then by suffix, so that a damaged file still gets
// the message of the format that its name promises.
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.h"
#include "format/builder.h"
#include "format/utf8.h"

namespace cutaway {
namespace format {

#define FORMAT(name, description)             \
  bool looks_like_##name(const Probe& probe); \
  bool suffix_is_##name(const Probe& probe);  \
  Checkpoint open_##name(const Probe& probe);
#include "format/formats.def"
#undef FORMAT

namespace {

struct Format {
  bool (*looks_like)(const Probe&);
  bool (*suffix_is)(const Probe&);
  Checkpoint (*open)(const Probe&);
  const char* description;
};

constexpr Format kFormats[] = {
#define FORMAT(name, description) {&looks_like_##name, &suffix_is_##name, &open_##name, description},
#include "format/formats.def"
#undef FORMAT
};

// Well-known files that people pass by mistake.
const char* stranger(const std::string& head) {
  const auto starts = [&](std::string_view magic) { return head.compare(0, magic.size(), magic) == 0; };
  if (starts("PK\x03\x04")) return "a zip archive (a PyTorch checkpoint, .pt or .bin, is one)";
  if (starts("\x80\x02") || starts("\x80\x04")) return "a Python pickle (an old PyTorch checkpoint is one)";
  if (starts("%PDF")) return "a PDF";
  if (starts("\x1f\x8b")) return "a gzip archive";
  if (starts("\x89HDF")) return "an HDF5 file";
  if (starts("version https://gi"))
    return "a git-lfs pointer, not the file itself; fetch it with git lfs pull";
  if (starts("<!DOCTYPE") || starts("<!doctype") || starts("<html"))
    return "a web page; the download went wrong";
  if (starts("ggml") || starts("lmgg") || starts("tjgg") || starts("fmgg")) {
    return "a GGML file from before GGUF; convert the model again";
  }
  if (head[0] == '{') return "JSON; for config.json or an index of shards, pass the folder that holds it";
  return nullptr;
}

std::string known_formats() {
  std::string out;
  for (const Format& format : kFormats) out += (out.empty() ? "" : ", ") + std::string(format.description);
  return out;
}

Probe probe(const std::string& path) {
  Probe out;
  if (path.find('\0') != std::string::npos) {
    throw FormatError(text("{}: a path cannot contain a zero byte", shown(path)));
  }
  out.path = absolute_path(path);
  struct stat st{};
  if (path.empty() || ::stat(out.path.c_str(), &st) != 0) {
    const int why = path.empty() ? ENOENT : errno;
    if (why == ENOENT || why == ENOTDIR) {
      throw FormatError(
          text("{}: no such file or folder; expected the path of {}", shown(out.path), known_formats()));
    }
    throw FormatError(text("{}: cannot be opened: {}", shown(out.path), std::strerror(why)));
  }
  out.folder = S_ISDIR(st.st_mode);
  if (out.folder) return out;
  out.suffix = std::filesystem::path(out.path).extension().string();
  std::transform(out.suffix.begin(), out.suffix.end(), out.suffix.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const File file(out.path);
  out.size = file.size();
  out.head.resize(static_cast<size_t>(std::min<uint64_t>(32, file.size())));
  file.read(0, out.head.size(), out.head.data());
  return out;
}

}  // namespace

std::string absolute_path(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failed);
  if (failed) return path;
  std::string out = absolute.lexically_normal().string();
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

}  // namespace format

Checkpoint open_checkpoint(const std::string& path) {
  using namespace format;
  const Probe file = probe(path);
  for (const Format& format : kFormats) {
    if (format.looks_like(file)) return format.open(file);
  }
  if (const char* what = stranger(file.head)) {
    throw FormatError(text("{}: this looks like {}; expected {}", shown(file.path), what, known_formats()));
  }
  for (const Format& format : kFormats) {
    if (format.suffix_is(file)) return format.open(file);
  }
  const std::string content = file.head.empty() ? "is empty" : "starts with '" + shown(file.head) + "'";
  throw FormatError(
      text("{}: not a model file: it {}; expected {}", shown(file.path), content, known_formats()));
}

}  // namespace cutaway
