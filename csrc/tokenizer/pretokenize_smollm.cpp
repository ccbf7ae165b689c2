// SmolLM (also StarCoder and its kin): every \p{N} stands alone, and what lies between is cut as GPT-2 cuts
// it.
#include "tokenizer/pretokenize.h"
#include "tokenizer/unicode.h"

namespace cutaway {

void pretokenize_smollm(std::string_view text, std::vector<Pretoken>& out) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_step(text, at);
    if (step.ok && is_number(category(step.cp))) {
      scan_gpt2(text, begin, at, out);
      begin = at + step.bytes;
      out.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(begin), Rule::numbers});
    }
    at += step.bytes;
  }
  scan_gpt2(text, begin, text.size(), out);
}

}  // namespace cutaway
