#include "model/pack_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <thread>
#include <utility>

#include "core/buffer.h"
#include "core/error.h"
#include "core/mapping.h"
#include "core/part_file.h"
#include "core/sha256.h"
#include "model/pack_header.h"

namespace cutaway {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".pack";
constexpr double kWritten = 500e6;  // bytes a second that a writer surely does

// The run of the system: what a file holds that this run wrote is what was written, on disk or not.
std::string this_boot() {
  std::ifstream in("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(in, id);
  return id;
}

// The last byte before the image is 1 once the file is on disk. A pack file of an earlier run without it may
// have holes where the system stopped before it wrote: it does not count.
bool is_on_disk(int fd, const PackHeader& header) {
  char byte = 0;
  return ::pread(fd, &byte, 1, static_cast<off_t>(header.begin - 1)) == 1 && byte == 1;
}

// Has the system write the file out, beside everything else, and sets that byte.
void settle_on_disk(const std::string& path, uint64_t begin) {
  Handle file(path, O_WRONLY);
  if (!file) return;
  try {
    std::thread([begin, file = std::move(file)] {
      const char byte = 1;
      if (::fdatasync(file.fd()) == 0) (void)!::pwrite(file.fd(), &byte, 1, static_cast<off_t>(begin - 1));
    }).detach();
  } catch (const std::system_error&) {  // no thread to be had: a later opening tries again
  }
}

void check_memory(const Checkpoint& file, uint64_t need) {
  if (const uint64_t have = room_for(need); need > have)
    throw MemoryLimitError(
        text("{}: loading needs about {} MiB, {} MiB are free", file.path, need >> 20, have >> 20));
}

std::shared_ptr<const uint8_t> shared(std::shared_ptr<Mapping> mapping) {
  const uint8_t* const data = mapping->data();
  return {std::move(mapping), data};
}

class PackFile {
 public:
  PackFile(const Checkpoint& file, const Image& image, const kernels::Table& kernels, int threads,
           const PackOptions& options)
      : file_(file), image_(image), kernels_(kernels), threads_(threads), options_(options) {
    stamps_ = file.stamps();
    header_.identity = pack_identity(file, image, stamps_);
    header_.tensors = pack_tensors(image);
    header_.bytes = image.bytes();
    path_ =
        options.folder + "/" + hex(header_.identity) + "." + pack_layout(header_.tensors, kernels) + kSuffix;
  }
  const std::string& path() const { return path_; }

  // The mapped image; null when there is no sound pack file of this model.
  std::shared_ptr<const uint8_t> open() {
    Handle pack(path_, O_RDONLY);
    struct stat st{};
    if (!pack) {
      may_write_ = errno == ENOENT;  // not over a file that is somebody else's, or a link
      return nullptr;
    }
    may_write_ = ::fstat(pack.fd(), &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == ::geteuid();
    if (!may_write_) return nullptr;
    const auto found = read_pack(pack.fd(), static_cast<uint64_t>(st.st_size));
    if (!found || found->identity != header_.identity || found->tensors != header_.tensors ||
        found->bytes != header_.bytes)
      return nullptr;
    const bool on_disk = is_on_disk(pack.fd(), *found);
    if (!on_disk && (found->boot.empty() || found->boot != this_boot())) return nullptr;
    const auto mapping = std::make_shared<Mapping>(pack.fd(), found->begin, found->bytes);
    check_memory(file_, found->bytes - mapping->resident());
    if (!mapping->populate(threads_)) return nullptr;
    if (!on_disk) settle_on_disk(path_, found->begin);
    return shared(mapping);
  }

  // Packs into a new pack file and maps it; null when that cannot be done here and now.
  std::shared_ptr<const uint8_t> write() {
    if (!may_write_ || !settled()) return nullptr;
    describe();
    const std::string header = encode_pack(header_);
    const uint64_t bytes = header_.begin + header_.bytes;
    PartFile part(path_, bytes, 2.0 + static_cast<double>(bytes) / kWritten);
    if (!part) return nullptr;
    if (auto image = open()) return image;  // another process has just written it
    const auto mapping = write_into(part.fd());
    // The header comes last: what has none is nothing. Nor is what was read of a file that changed meanwhile.
    if (!mapping || file_.stamps() != stamps_ ||
        ::pwrite(part.fd(), header.data(), header.size(), 0) != static_cast<ssize_t>(header.size()) ||
        !part.finish())
      return nullptr;
    remove_former();
    settle_on_disk(path_, header_.begin);
    return shared(mapping);
  }

 private:
  bool settled() const {
    using namespace std::chrono;
    const auto now = duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
    return std::all_of(stamps_.begin(), stamps_.end(), [&](const format::Stamp& s) {
      return static_cast<double>(now - std::max(s.mtime_ns, s.ctime_ns)) >= options_.settled * 1e9;
    });
  }

  void describe() {
    header_.boot = this_boot();
    header_.model = file_.path;
    header_.sources.clear();
    for (size_t i = 0; i < stamps_.size(); ++i) {
      std::error_code failed;
      const fs::path resolved = fs::canonical(file_.files[i], failed);
      header_.sources.push_back({failed ? file_.files[i] : resolved.string(), stamps_[i]});
    }
  }

  std::shared_ptr<Mapping> write_into(int fd) const {
    if (!image_.pack_into(fd, header_.begin, file_, kernels_, threads_) ||
        ::ftruncate(fd, static_cast<off_t>(header_.begin + header_.bytes)) != 0)
      return nullptr;
    auto mapping = std::make_shared<Mapping>(fd, header_.begin, header_.bytes);
    return mapping->populate(threads_) ? mapping : nullptr;
  }

  // Pack files of what this model file was before it changed.
  void remove_former() const {
    std::error_code failed;
    for (fs::directory_iterator entry(options_.folder, failed), end; !failed && entry != end;
         entry.increment(failed)) {
      const std::string other = entry->path().string();
      if (entry->path().extension() != kSuffix || other == path_) continue;
      const Handle pack(other, O_RDONLY);
      struct stat st{};
      if (!pack || ::fstat(pack.fd(), &st) != 0 || st.st_uid != ::geteuid()) continue;
      const auto found = read_pack(pack.fd(), static_cast<uint64_t>(st.st_size));
      if (found && found->sources.front().path == header_.sources.front().path &&
          found->sources != header_.sources)
        ::unlink(other.c_str());
    }
  }

  const Checkpoint& file_;
  const Image& image_;
  const kernels::Table& kernels_;
  int threads_;
  const PackOptions& options_;
  std::vector<format::Stamp> stamps_;
  PackHeader header_;  // as it would be written
  std::string path_;
  bool may_write_ = true;
};

}  // namespace

PackedWeights pack_weights(const Checkpoint& file, const Image& image, const kernels::Table& kernels,
                           int threads, const PackOptions& options) {
  const uint64_t need = image.bytes() + image.bytes() / 8;
  if (options.folder.empty() || image.bytes() < options.least) {
    check_memory(file, need);
    return {image.pack(file, kernels, threads), ""};
  }
  PackFile pack(file, image, kernels, threads, options);
  if (auto mapped = pack.open()) return {std::move(mapped), pack.path()};
  check_memory(file, need);
  if (auto mapped = pack.write()) return {std::move(mapped), pack.path()};
  return {image.pack(file, kernels, threads), ""};
}

PackReport report_pack(const std::string& path, const kernels::Table& kernels) {
  const Handle pack(path, O_RDONLY);
  struct stat st{};
  if (!pack || ::fstat(pack.fd(), &st) != 0 || !S_ISREG(st.st_mode)) return {"", "damaged"};
  const auto found = read_pack(pack.fd(), static_cast<uint64_t>(st.st_size));
  if (!found) return {"", "damaged"};
  const std::string name = hex(found->identity) + "." + pack_layout(found->tensors, kernels) + kSuffix;
  if (fs::path(path).filename() != name) return {found->model, "other version"};
  for (const PackSource& source : found->sources) {
    const auto now = format::stamp_of(source.path);
    if (!now) return {found->model, "gone"};
    if (*now != source.stamp) return {found->model, "changed"};
  }
  return {found->model, "ready"};
}

bool remove_pack(const std::string& path) {
  if (fs::path(path).extension() != PartFile::kSuffix) return ::unlink(path.c_str()) == 0;
  const Handle part(path, O_RDWR);  // under its lock, so that nobody loses what is being written
  return part && ::flock(part.fd(), LOCK_EX | LOCK_NB) == 0 && ::unlink(path.c_str()) == 0;
}

}  // namespace cutaway
