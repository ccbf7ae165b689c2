#include "format_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace cutaway::testing {

std::string sample_gguf(size_t* header_bytes) {
  Bytes out = gguf_head(3, 17);
  out.str("general.alignment").u32(kU32).u32(64);
  out.str("general.architecture").u32(kString).str("llama");
  out.str("a.u8").u32(kU8).put<uint8_t>(255);
  out.str("a.i8").u32(kI8).put<int8_t>(-128);
  out.str("a.u16").u32(kU16).put<uint16_t>(65535);
  out.str("a.i16").u32(kI16).put<int16_t>(-32768);
  out.str("a.i32").u32(kI32).put<int32_t>(-7);
  out.str("a.u64").u32(kU64).u64(UINT64_MAX);
  out.str("a.i64").u32(kI64).put<int64_t>(INT64_MIN);
  out.str("a.f32").u32(kF32).put<float>(0.1f);
  out.str("a.f64").u32(kF64).put<double>(0.1);
  out.str("a.bool").u32(kBool).put<uint8_t>(1);
  out.str("b.strings").u32(kArray).u32(kString).u64(3).str("one").str("").str("\xff\xfe");
  out.str("b.bools").u32(kArray).u32(kBool).u64(2).put<uint8_t>(0).put<uint8_t>(1);
  out.str("b.i16").u32(kArray).u32(kI16).u64(2).put<int16_t>(-1).put<int16_t>(2);
  out.str("b.f32").u32(kArray).u32(kF32).u64(2).put<float>(1.5f).put<float>(-2.f);
  out.str("b.none").u32(kArray).u32(kU32).u64(0);
  out.str("w").u32(2).u64(32).u64(2).u32(3).u64(0);             // Q4_1 [2, 32]: 40 bytes
  out.str("\xc3\xa9.weight").u32(1).u64(3).u32(0).u64(64);      // F32 [3]
  out.str("cube").u32(3).u64(2).u64(1).u64(5).u32(1).u64(128);  // F16 [5, 1, 2]: 20 bytes
  out.pad(64);
  *header_bytes = out.s.size();
  out.raw(std::string(40, 'w')).pad(64).raw(std::string(12, 'e')).pad(64).raw(std::string(20, 'c'));
  return out.s;
}

std::string sample_safetensors(size_t* header_bytes) {
  const std::string header = R"({"__metadata__":{"format":"pt","note":"\u00e9 \ud83d\ude00 \"x\""},)"
                             R"("w":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
                             R"("s":{"dtype":"I16","shape":[],"data_offsets":[0,2]},)"
                             R"("none":{"dtype":"BF16","shape":[0,7],"data_offsets":[28,28]},)"
                             R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[2,4]}}   )";
  Bytes out = Bytes().str(header);
  *header_bytes = out.s.size();
  return out.raw(std::string(28, 'd')).s;
}

TempFile::TempFile(const std::string& name, std::string_view content) {
  std::string folder = (std::filesystem::temp_directory_path() / "cutaway-XXXXXX").string();
  if (!::mkdtemp(folder.data())) throw std::runtime_error("no temporary folder at " + folder);
  path_ = folder + "/" + name;
  write(content);
}

TempFile::~TempFile() {
  std::error_code ignored;
  std::filesystem::remove_all(folder(), ignored);
}

void TempFile::write(std::string_view content) const {
  std::ofstream file(path_, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path_);
}

void TempFile::overwrite(uint64_t offset, std::string_view bytes) const {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
  ::close(fd);
  if (done != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("cannot write " + path_);
}

void TempFile::truncate(uint64_t size) const { std::filesystem::resize_file(path_, size); }

std::string refusal(const std::string& path) {
  try {
    const Checkpoint checkpoint = open_checkpoint(path);
    for (const TensorInfo& tensor : checkpoint.tensors) {
      std::vector<char> bytes(tensor.bytes);
      checkpoint.read(tensor, 0, tensor.bytes, bytes.data());
    }
    return "";
  } catch (const FormatError& error) {
    EXPECT_NE(std::string_view(error.what()), "");
    return error.what();
  }
}

void expect_refused(const std::string& path, const std::string& expected) {
  const std::string message = refusal(path);
  EXPECT_NE(message, "") << "accepted, expected a refusal with: " << expected;
  EXPECT_NE(message.find(expected), std::string::npos) << message << "\n  expected: " << expected;
  EXPECT_EQ(message.rfind(path, 0), 0u) << message << "\n  does not begin with the file";
}

}  // namespace cutaway::testing
