// The OpenAI encodings as in tiktoken 0.14 (openai_public.py); Llama 3 as in Meta's tokenizer.py of that
// release.
#include "tokenizer/known_ranks.h"

#include "core/error.h"

namespace cutaway {
namespace {

using Tokens = std::vector<SpecialToken>;

constexpr const char* kR50k = "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930";
constexpr const char* kP50k = "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069";
constexpr const char* kCl100k = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7";
constexpr const char* kO200k = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d";
constexpr const char* kLlama3 = "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55";

Tokens gpt2() { return {{"<|endoftext|>", 50256, "eos"}}; }

Tokens p50k_edit() {
  return {{"<|endoftext|>", 50256, "eos"},
          {"<|fim_prefix|>", 50281, "fim_pre"},
          {"<|fim_middle|>", 50282, "fim_mid"},
          {"<|fim_suffix|>", 50283, "fim_suf"}};
}

Tokens cl100k() {
  return {{"<|endoftext|>", 100257, "eos"},
          {"<|fim_prefix|>", 100258, "fim_pre"},
          {"<|fim_middle|>", 100259, "fim_mid"},
          {"<|fim_suffix|>", 100260, "fim_suf"},
          {"<|endofprompt|>", 100276}};
}

Tokens o200k() { return {{"<|endoftext|>", 199999, "eos"}, {"<|endofprompt|>", 200018}}; }

// <|reserved_200018|> and <|endofprompt|> share an id in tiktoken's table; the latter came first and decodes.
Tokens o200k_harmony() {
  Tokens all = {{"<|startoftext|>", 199998, "bos"},
                {"<|endoftext|>", 199999, "pad"},
                {"<|return|>", 200002, "eos"},
                {"<|constrain|>", 200003},
                {"<|channel|>", 200005},
                {"<|start|>", 200006},
                {"<|end|>", 200007},
                {"<|message|>", 200008},
                {"<|call|>", 200012},
                {"<|endofprompt|>", 200018}};
  for (int32_t id = 200000; id < 201088; ++id) {
    bool named = false;
    for (const SpecialToken& token : all) named |= token.id == id;
    if (!named) all.push_back({text("<|reserved_{}|>", id), id});
  }
  return all;
}

Tokens llama3() {
  Tokens all = {{"<|begin_of_text|>", 128000, "bos"},
                {"<|end_of_text|>", 128001, "eos"},
                {"<|start_header_id|>", 128006},
                {"<|end_header_id|>", 128007},
                {"<|eot_id|>", 128009, "eot"}};
  int reserved = 0;
  for (int32_t id = 128002; id < 128256; ++id) {
    if (id == 128006 || id == 128007 || id == 128009) continue;
    all.push_back({text("<|reserved_special_token_{}|>", reserved++), id});
  }
  return all;
}

}  // namespace

const std::vector<KnownRanks>& known_ranks() {
  static const std::vector<KnownRanks> all = {
      {"r50k_base", kR50k, "gpt-2", gpt2},
      {"gpt2", kR50k, "gpt-2", gpt2},
      {"p50k_base", kP50k, "gpt-2", gpt2},
      {"p50k_edit", kP50k, "gpt-2", p50k_edit},
      {"cl100k_base", kCl100k, "cl100k", cl100k},
      {"o200k_base", kO200k, "o200k", o200k},
      {"o200k_harmony", kO200k, "o200k", o200k_harmony},
      {"llama3", kLlama3, "llama-bpe", llama3},
  };
  return all;
}

}  // namespace cutaway
