/* Denoises a picture by non-local means, on every device of the machine.
 *
 *     denoise IN OUT [--sigma s] [--strength h] [--patch r] [--search r] [--repeat n] ...
 *
 * The kernel is the shipped nlm. With --sigma, noise is added first, always the same, and the program tells how close
 * the noisy and the denoised picture are to the original. */
#include "noise.h"
#include "picture.h"
#include "rows.h"

#include <divvy.h>
#include "nlm.cl"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: denoise IN OUT [options]\n"
    "\n"
    "Reads a PNG or JPEG file, denoises it on every core and OpenCL device, writes a PNG file.\n"
    "\n"
    "  --sigma S          add noise of standard deviation S first, of 255 (default 0: denoise the picture as it is)\n"
    "  --noise S          standard deviation of the noise to remove (default: sigma, or 10)\n"
    "  --strength H       how unlike patches may be and still count (default 0.4 times the noise)\n"
    "  --patch R          radius of the patches that are compared, 1 to 7 pixels (default 2)\n"
    "  --search R         how far to look for them, 1 to 100 pixels (default 6)\n"
    "  --repeat N         do it N times and tell each time (default 1)\n"
    "  --prepare          open every device and build the kernel there before the first time\n"
    "  --noisy-image F    write the picture with the added noise\n"
    "  --profile F        write a profile, as DIVVY_PROFILE would\n"
    "  --devices-image F  write the picture tinted by the device that computed each row; needs --profile\n"
    "  --help             this text\n";

struct settings {
    const char *in, *out, *noisy_image, *profile, *devices_image;
    double sigma, noise, strength, patch, search, repeat;
    bool prepare;
};

static bool read_number(const char *text, double low, double high, double *out_number)
{
    char *end;
    *out_number = strtod(text, &end);
    return end != text && *end == 0 && *out_number >= low && *out_number <= high;
}

/* False for wrong usage. */
static bool read_settings(int argc, char **argv, struct settings *s)
{
    static const struct option options[] = {{"sigma", required_argument, NULL, 's'},
                                            {"noise", required_argument, NULL, 'n'},
                                            {"strength", required_argument, NULL, 'h'},
                                            {"patch", required_argument, NULL, 'p'},
                                            {"search", required_argument, NULL, 'q'},
                                            {"repeat", required_argument, NULL, 'r'},
                                            {"noisy-image", required_argument, NULL, 'i'},
                                            {"profile", required_argument, NULL, 'f'},
                                            {"devices-image", required_argument, NULL, 'd'},
                                            {"prepare", no_argument, NULL, 'b'},
                                            {0}};
    *s = (struct settings){.patch = 2, .search = 6, .repeat = 1};

    bool good = true;
    for (int option; good && (option = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 's':
            good = read_number(optarg, 0, 255, &s->sigma);
            break;
        case 'n':
            good = read_number(optarg, 0, 255, &s->noise);
            break;
        case 'h':
            good = read_number(optarg, 0.01, 1000, &s->strength);
            break;
        case 'p':
            good = read_number(optarg, 1, 7, &s->patch);
            break;
        case 'q':
            good = read_number(optarg, 1, 100, &s->search);
            break;
        case 'r':
            good = read_number(optarg, 1, 1e6, &s->repeat);
            break;
        case 'b':
            s->prepare = true;
            break;
        case 'i':
            s->noisy_image = optarg;
            break;
        case 'f':
            s->profile = optarg;
            break;
        case 'd':
            s->devices_image = optarg;
            break;
        default:
            good = false;
        }
    if (!good || argc - optind != 2 || (s->devices_image && !s->profile))
        return false;

    s->in = argv[optind];
    s->out = argv[optind + 1];
    if (s->noise == 0)
        s->noise = s->sigma > 0 ? s->sigma : 10;
    if (s->strength == 0)
        s->strength = 0.4 * s->noise;
    return true;
}

/* One line: time, bound and efficiency, and who did how much. */
static void print_report(const divvy_report *report)
{
    static const char *const bases[] = {"", "measured", "by the model"};
    printf("%8.1f ms", (double)report->wall_ns * 1e-6);
    if (report->bound_ns)
        printf(", bound %.1f ms (%s), efficiency %.2f", (double)report->bound_ns * 1e-6, bases[report->bound_basis],
               report->efficiency);
    printf(":");
    for (size_t i = 0; i < report->share_count; i++)
        if (report->shares[i].items)
            printf(" %s %.1f%%", report->shares[i].id, 100 * report->shares[i].share);
    printf("\n");
}

/* Fills `clean` from `noisy`. False with a message if it fails. */
static bool denoise(const struct settings *s, const struct picture *noisy, struct picture *clean)
{
    divvy *dv;
    divvy_status status = divvy_open(&dv, &(divvy_options){.profile = s->profile});
    if (!status && s->prepare)
        status = divvy_prepare(dv, nlm);
    for (int turn = 0; turn < (int)s->repeat && !status; turn++) {
        status = divvy_run(dv, nlm, (size_t)noisy->height, .width = noisy->width, .channels = PICTURE_CHANNELS,
                           .patch = (int)s->patch, .search = (int)s->search, .noise = (float)s->noise,
                           .strength = (float)s->strength, .src = noisy->values, .dst = clean->values,
                           .with = {.name = "denoise"});
        if (!status)
            print_report(divvy_last(dv));
    }
    if (status)
        fprintf(stderr, "denoise: %s\n", divvy_error());
    divvy_close(dv);
    return !status;
}

/* From file to files. False after a message. */
static bool process(const struct settings *s)
{
    struct picture original, noisy = {0}, clean = {0};
    bool good = picture_read(&original, s->in) && picture_init(&noisy, original.width, original.height) &&
                picture_init(&clean, original.width, original.height);
    if (good) {
        memcpy(noisy.values, original.values, picture_size(&original) * sizeof *noisy.values);
        if (s->sigma > 0)
            noise_add(&noisy, (float)s->sigma);
        printf("%s: %d x %d pixels\n", s->in, original.width, original.height);
        good = denoise(s, &noisy, &clean);
    }
    if (good && s->sigma > 0)
        printf("against the original: noisy %.2f dB, denoised %.2f dB\n", picture_psnr(&noisy, &original),
               picture_psnr(&clean, &original));

    good = good && picture_write(&clean, s->out) && (!s->noisy_image || picture_write(&noisy, s->noisy_image));
    if (good && s->devices_image)
        good = rows_tint(&clean, s->profile) && picture_write(&clean, s->devices_image);
    picture_fini(&clean);
    picture_fini(&noisy);
    picture_fini(&original);
    return good;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    struct settings settings;
    if (!read_settings(argc, argv, &settings)) {
        fputs(usage, stderr);
        return 2;
    }
    return process(&settings) ? 0 : 1;
}
