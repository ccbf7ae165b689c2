// What a pack file says of itself (docs/architecture.md, "The pack file"): whose weights it holds, and where
// each matrix lies. Nothing in it is believed that its checksum, the file's size and the model do not bear
// out.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/checkpoint.h"
#include "model/image.h"

namespace cutaway {

struct PackTensor {
  std::string name, type;
  uint64_t rows = 0, cols = 0, order = 0;  // order: a hash of how rows change places, 0: not at all
  uint64_t offset = 0, bytes = 0;          // in the image
  bool operator==(const PackTensor&) const = default;
};

struct PackSource {
  std::string path;
  format::Stamp stamp;
  bool operator==(const PackSource&) const = default;
};

struct PackHeader {
  std::string identity;             // 32 bytes: of the files' stamps and of a sample of every matrix
  std::string boot;                 // the run of the system that wrote it
  std::string model;                // the path that was loaded
  std::vector<PackSource> sources;  // the model's files, symbolic links resolved
  uint64_t begin = 0, bytes = 0;    // of the image, in the file
  std::vector<PackTensor> tensors;
};

constexpr uint64_t kPackRoom = uint64_t{2} << 20;  // the header's room is a multiple of it

std::string encode_pack(PackHeader& header);  // sets header.begin: after the first room that is large enough
// Nothing for what is not a whole header of this version, or does not belong to a file of `file_bytes` bytes.
std::optional<PackHeader> decode_pack(std::string_view bytes, uint64_t file_bytes);
// Reads and decodes; nothing for a file that is none of ours.
std::optional<PackHeader> read_pack(int fd, uint64_t file_bytes);

// The matrices of an image, as a header lists them.
std::vector<PackTensor> pack_tensors(const Image& image);
// What the files are now, and a sample of what is in them. 32 bytes.
std::string pack_identity(const Checkpoint& file, const Image& image,
                          const std::vector<format::Stamp>& stamps);
// How this version lays out these weight types, found by packing: 8 hexadecimal digits.
std::string pack_layout(const std::vector<PackTensor>& tensors, const kernels::Table& kernels);

}  // namespace cutaway
