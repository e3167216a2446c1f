"""Generates the pictures of this folder that Pillow can write, with its wheel's libjpeg-turbo and
libwebp. One picture requires jpegtran:

    apt-get install libjpeg-turbo-progs && pip install pillow==12.0.0 && python make.py
"""
import io
import struct
import subprocess

from PIL import Image, ImageDraw

RED, GREEN, BLUE, GREY = (220, 30, 40), (30, 170, 60), (30, 60, 200), (200, 200, 200)


def card(width=480, height=320):
    """Four quarters: red, green; blue, grey."""
    image = Image.new("RGB", (width, height), GREY)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2 - 1, height // 2 - 1), RED)
    draw.rectangle((width // 2, 0, width, height // 2 - 1), GREEN)
    draw.rectangle((0, height // 2, width // 2 - 1, height), BLUE)
    return image


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    data[0x010E] = "secret description"
    data.get_ifd(0x8825)[1] = "N"
    data.get_ifd(0x8825)[2] = (47.0, 33.0, 12.0)
    return data.tobytes()


def stored(image, orientation):
    """Returns the picture to store, which the orientation turns into image."""
    turn = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
    }.get(orientation)
    return image if turn is None else image.transpose(turn)


def profile(red, green, blue, gamma):
    """Returns an ICC profile of version 2 with a matrix and one gamma, like Adobe RGB (1998), but
    without its text."""
    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    tags = [(b"rXYZ", xyz(red)), (b"gXYZ", xyz(green)), (b"bXYZ", xyz(blue)),
            (b"wtpt", xyz((0.9642, 1, 0.8249))),
            (b"rTRC", curve), (b"gTRC", curve), (b"bTRC", curve)]
    table, data = struct.pack(">I", len(tags)), b""
    for name, value in tags:
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(value))
        data += value
    head = struct.pack(">I4sI4s4s4s12s4s", 0, b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ",
                       b"\0" * 12, b"acsp")
    head += b"\0" * 28 + struct.pack(">iii", 63190, 65536, 54061)
    icc = head.ljust(128, b"\0") + table + data
    return struct.pack(">I", len(icc)) + icc[4:]


for o in range(1, 9):
    stored(card(), o).save(f"orientation-{o}.jpg", quality=92, exif=exif(o))
stored(card(), 6).save("orientation-6.png", exif=exif(6))
stored(card(), 6).save("orientation-6.webp", quality=92, exif=exif(6))

card().save("baseline.jpg", quality=92)
subprocess.run(["jpegtran", "-scans", "/dev/stdin", "-outfile", "scans.jpg", "baseline.jpg"],
               input=b"0; 1; 2;", check=True)
card().save("progressive.jpg", quality=92, progressive=True)
card().save("444.jpg", quality=92, subsampling=0)
card().save("422.jpg", quality=92, subsampling=1)
card().save("restarts.jpg", quality=92, restart_marker_blocks=7)
card().save("rgb.jpg", quality=92, keep_rgb=True)
card().convert("L").save("grey.jpg", quality=92)
card().save("wrong-extension.png", format="JPEG", quality=92)
Image.new("RGB", (1, 1), RED).save("1x1.jpg", quality=92)
# The noise differs at each run.
noise = Image.effect_noise((700, 525), 60).convert("RGB").resize((397, 299))
noise.save("noise.jpg", quality=60, progressive=True)

# Cyan, magenta; yellow, half black.
inks = Image.new("CMYK", (480, 320), (0, 0, 0, 128))
draw = ImageDraw.Draw(inks)
draw.rectangle((0, 0, 239, 159), (255, 0, 0, 0))
draw.rectangle((240, 0, 479, 159), (0, 255, 0, 0))
draw.rectangle((0, 160, 239, 319), (0, 0, 255, 0))
inks.save("cmyk.jpg", quality=92)  # inverted, with Adobe's marker

# Pillow cannot write YCCK. It is the same file with two changes: its first three colours are Y, Cb
# and Cr of CMY interpreted as RGB, and Adobe's marker says so. Pillow inverts all colours, but Y,
# Cb and Cr are stored without inversion.
c, m, y, k = inks.split()
ycc = Image.merge("RGB", (c, m, y)).convert("YCbCr").split()
buffer = io.BytesIO()
inverted = [Image.eval(i, lambda v: 255 - v) for i in ycc]
Image.merge("CMYK", inverted + [k]).save(buffer, "JPEG", quality=92)
ycck = bytearray(buffer.getvalue())
adobe = ycck.index(b"Adobe")
assert ycck[adobe + 11] == 0
ycck[adobe + 11] = 2
open("ycck.jpg", "wb").write(ycck)

palette = card().quantize(8)
palette.save("palette.png")
glass = card().convert("RGBA")
glass.putalpha(Image.linear_gradient("L").resize((480, 320)))
for x in range(240):
    for y in range(320):
        r, g, b, _ = glass.getpixel((x, y))
        glass.putpixel((x, y), (r, g, b, 0 if y < 160 else 128))
glass.save("alpha.png")
glass.save("alpha.webp", quality=92)
glass.save("alpha-lossless.webp", lossless=True)
card().save("lossy.webp", quality=92)
card().save("lossless.webp", lossless=True)
card().save("animated.webp", save_all=True, append_images=[Image.new("RGB", (480, 320), BLUE)],
            duration=100, quality=92)

adobe_rgb = profile((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087),
                    (0.14919, 0.06322, 0.74457), 2.19921875)
for name in "adobe-rgb.jpg", "adobe-rgb.png", "adobe-rgb.webp":
    Image.new("RGB", (64, 48), (150, 180, 90)).save(name, icc_profile=adobe_rgb, quality=92)
