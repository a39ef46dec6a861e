#include "kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "json.h"
#include "mem.h"
#include "utf8.h"

#define HEAD 4096

static bool has(const char *folder, const char *name)
{
    char *path = cn_path_join(folder, name);
    bool there = access(path, F_OK) == 0;
    cn_free(path);
    return there;
}

static file_verdict folder_kind(const char *path)
{
    if (has(path, "adapter_config.json"))
        return (file_verdict){KIND_ADAPTER_FOLDER, "LoRA adapter folder (PEFT)", NULL};
    bool weights = has(path, "model.safetensors") || has(path, "model.safetensors.index.json");
    if (has(path, "config.json") && weights)
        return (file_verdict){KIND_HF_FOLDER, "Hugging Face model folder", NULL};
    bool tokenizer = has(path, "tokenizer.json") || has(path, "tokenizer.model") ||
                     (has(path, "vocab.json") && has(path, "merges.txt"));
    if (has(path, "pytorch_model.bin") || has(path, "pytorch_model.bin.index.json"))
        return (file_verdict){
            KIND_OTHER, "folder with PyTorch pickle weights",
            "pickles can run code and are not read: get the safetensors form"};
    if (tokenizer) return (file_verdict){KIND_TOKENIZER, "tokenizer folder, no weights", NULL};
    return (file_verdict){KIND_OTHER, "folder without a model",
                          "a model folder holds config.json and model.safetensors"};
}

/* The kinds that their first bytes give away. */
static const struct {
    const char *magic;
    size_t n;
    file_verdict verdict;
} magics[] = {
    {"GGUF", 4, {KIND_GGUF, "GGUF file", NULL}},
    {"version https://git-lfs",
     23,
     {KIND_OTHER, "Git LFS pointer, not the file itself", "fetch the file: git lfs pull"}},
    {"<!DOCTYPE", 9, {KIND_OTHER, "web page", "the download gave a page: check its address"}},
    {"<html", 5, {KIND_OTHER, "web page", "the download gave a page: check its address"}},
    {"PK\3\4",
     4,
     {KIND_OTHER, "ZIP archive (PyTorch weights are such)",
      "pickles can run code and are not read: get the safetensors or GGUF form"}},
    {"\x80\2",
     2,
     {KIND_OTHER, "Python pickle",
      "pickles can run code and are not read: get the safetensors form"}},
    {"\x1f\x8b", 2, {KIND_OTHER, "gzip archive", "unpack it first: tar xzf FILE"}},
    {"\x28\xb5\x2f\xfd", 4, {KIND_OTHER, "zstd archive", "unpack it first: zstd -d FILE"}},
    {"\x89HDF", 4, {KIND_OTHER, "HDF5 file (Keras)", "get the safetensors or GGUF form"}},
    {"\x7f"
     "ELF",
     4,
     {KIND_OTHER, "program", NULL}},
    {"tjgg", 4, {KIND_OTHER, "GGJT file, older than GGUF", "get the model as GGUF"}},
    {"lmgg", 4, {KIND_OTHER, "GGML file, older than GGUF", "get the model as GGUF"}},
};

static file_verdict json_kind(const char *path)
{
    file_verdict v = {KIND_OTHER, "JSON file", NULL};
    cn_json *j = NULL;
    if (cn_json_read_file(&j, path, (size_t)256 << 20, NULL))
        v.what = "text that begins like JSON but is not";
    else if (cn_json_get(j, "model") && cn_json_get(j, "added_tokens"))
        v = (file_verdict){KIND_TOKENIZER, "tokenizer.json", NULL};
    else if (cn_json_get(j, "peft_type"))
        v = (file_verdict){KIND_OTHER, "LoRA adapter configuration (PEFT)",
                           "inspect its folder"};
    else if (cn_json_get(j, "weight_map"))
        v = (file_verdict){KIND_OTHER, "index of safetensors shards", "inspect its folder"};
    else if (cn_json_get(j, "model_type") || cn_json_get(j, "architectures"))
        v = (file_verdict){KIND_OTHER, "model configuration (config.json)",
                           "inspect its folder"};
    else if (cn_json_get(j, "tokenizer_class") || cn_json_get(j, "chat_template"))
        v = (file_verdict){KIND_OTHER, "tokenizer configuration", "inspect its folder"};
    else if (cn_json_get(j, "$schema") || cn_json_get(j, "properties"))
        v = (file_verdict){KIND_OTHER, "JSON Schema",
                           "use it with: conatus generate --schema FILE"};
    cn_json_free(j);
    return v;
}

static bool is_text(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] < 32 && !strchr("\t\n\r\f\033", p[i])) return false;
    return cn_utf8_valid(p, n) || n == HEAD; /* the last character may be cut */
}

/* A header length of 8 bytes, then JSON. */
static bool is_safetensors(const char *p, size_t n)
{
    return n > 9 && (p[8] == '{') && p[4] == 0 && p[5] == 0 && p[6] == 0 && p[7] == 0;
}

static file_verdict head_kind(const char *path, const char *p, size_t n)
{
    if (n == 0) return (file_verdict){KIND_OTHER, "empty file", "download it again"};
    for (size_t i = 0; i < CN_ARRAY_LEN(magics); i++)
        if (n >= magics[i].n && memcmp(p, magics[i].magic, magics[i].n) == 0)
            return magics[i].verdict;
    if (is_safetensors(p, n)) return (file_verdict){KIND_SAFETENSORS, "safetensors file", NULL};
    size_t blank = strspn(p, " \t\r\n");
    bool jinja = p[blank] == '{' && (p[blank + 1] == '%' || p[blank + 1] == '{');
    if (!jinja && (p[blank] == '{' || p[blank] == '[')) return json_kind(path);
    if (n > 3 && p[0] == '\n' && p[1] > 0 && p[1] < ' ' && p[2] == '\n')
        return (file_verdict){KIND_TOKENIZER, "SentencePiece model", NULL};
    if (is_text(p, n)) {
        if (strstr(p, "{%") || strstr(p, "{{"))
            return (file_verdict){KIND_TEMPLATE, "chat template (Jinja)", NULL};
        return (file_verdict){KIND_OTHER, "text file",
                              "no model: MODEL is a GGUF file, a Hugging "
                              "Face folder, or a name in the store"};
    }
    return (file_verdict){KIND_OTHER, "binary file of no kind known here", NULL};
}

/* Reading one of these could wait for ever, or never end. */
static cn_status not_regular(mode_t mode, cn_err *err)
{
    const char *what = S_ISFIFO(mode) ? "a pipe" : S_ISSOCK(mode) ? "a socket" : "a device";
    cn_status st = cn_fail(err, CN_E_UNSUPPORTED, "it is %s, no regular file", what);
    return cn_next(err, st, "write what comes out of it to a file first");
}

cn_status file_kind_of(file_verdict *out, const char *path, cn_err *err)
{
    struct stat s;
    if (stat(path, &s)) return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
    if (S_ISDIR(s.st_mode)) {
        *out = folder_kind(path);
        return CN_OK;
    }
    if (!S_ISREG(s.st_mode)) return not_regular(s.st_mode, err);
    FILE *f = fopen(path, "re");
    if (!f) return cn_fail(err, cn_status_of_errno(errno), "%s", strerror(errno));
    char head[HEAD + 1];
    size_t n = fread(head, 1, HEAD, f);
    bool failed = ferror(f);
    fclose(f);
    if (failed) return cn_fail(err, CN_E_IO, "reading failed");
    head[n] = '\0';
    *out = head_kind(path, head, n);
    return CN_OK;
}
