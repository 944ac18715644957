/* Reads the dynamic symbols of a file. */
#include "contract.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file {
    unsigned char *bytes;
    size_t size;
};

static bool read_file(const char *path, struct file *file)
{
    FILE *stream = fopen(path, "rb");
    long end = -1;
    if (stream && fseek(stream, 0, SEEK_END) == 0)
        end = ftell(stream);
    *file = (struct file){.bytes = end > 0 ? malloc((size_t)end) : NULL, .size = end > 0 ? (size_t)end : 0};
    bool good = file->bytes && fseek(stream, 0, SEEK_SET) == 0 && fread(file->bytes, file->size, 1, stream) == 1;
    if (stream)
        fclose(stream);
    if (!good)
        free(file->bytes);
    return good;
}

static bool holds(const struct file *file, size_t offset, size_t bytes)
{
    return offset <= file->size && bytes <= file->size - offset;
}

/* What linkers and sanitizers add by themselves. */
static bool is_granted(const char *name)
{
    static const char *const names[] = {"divvy_plugin", "_init", "_fini", "_edata", "_end", "__bss_start", "_start"};
    static const char *const heads[] = {"__asan_", "__odr_asan", "__ubsan_", "__tsan_", "__sanitizer_", "__gcov_"};
    for (unsigned k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(name, names[k]) == 0)
            return true;
    for (unsigned k = 0; k < sizeof heads / sizeof *heads; k++)
        if (strncmp(name, heads[k], strlen(heads[k])) == 0)
            return true;
    return false;
}

/* Whether the symbol is one that other objects of the process would find. */
static bool is_exported(const ElfW(Sym) * symbol)
{
    unsigned binding = symbol->st_info >> 4, visibility = symbol->st_other & 3u;
    return symbol->st_shndx != SHN_UNDEF &&
           (binding == STB_GLOBAL || binding == STB_WEAK || binding == STB_GNU_UNIQUE) &&
           (visibility == STV_DEFAULT || visibility == STV_PROTECTED);
}

static void look_at(const struct file *file, const ElfW(Shdr) * symbols, const ElfW(Shdr) * names, char *out,
                    size_t bytes)
{
    for (size_t at = 0; at + sizeof(ElfW(Sym)) <= symbols->sh_size && !out[0]; at += sizeof(ElfW(Sym))) {
        ElfW(Sym) symbol;
        memcpy(&symbol, file->bytes + symbols->sh_offset + at, sizeof symbol);
        if (symbol.st_name >= names->sh_size || !is_exported(&symbol))
            continue;
        const char *name = (const char *)file->bytes + names->sh_offset + symbol.st_name;
        if (!is_granted(name))
            snprintf(out, bytes, "%.*s", (int)strnlen(name, names->sh_size - symbol.st_name), name);
    }
}

const char *foreign_export(const char *path, char *out, size_t bytes)
{
    struct file file;
    ElfW(Ehdr) head;
    out[0] = 0;
    if (!read_file(path, &file))
        return NULL;
    bool elf = holds(&file, 0, sizeof head) && memcmp(file.bytes, ELFMAG, SELFMAG) == 0;
    if (elf)
        memcpy(&head, file.bytes, sizeof head);
    elf = elf && head.e_shentsize == sizeof(ElfW(Shdr)) &&
          holds(&file, head.e_shoff, (size_t)head.e_shnum * sizeof(ElfW(Shdr)));
    for (unsigned k = 0; elf && k < head.e_shnum; k++) {
        ElfW(Shdr) symbols, names;
        memcpy(&symbols, file.bytes + head.e_shoff + k * sizeof symbols, sizeof symbols);
        if (symbols.sh_type != SHT_DYNSYM || symbols.sh_link >= head.e_shnum)
            continue;
        memcpy(&names, file.bytes + head.e_shoff + symbols.sh_link * sizeof names, sizeof names);
        if (holds(&file, symbols.sh_offset, symbols.sh_size) && holds(&file, names.sh_offset, names.sh_size))
            look_at(&file, &symbols, &names, out, bytes);
    }
    free(file.bytes);
    return elf ? out : NULL;
}
