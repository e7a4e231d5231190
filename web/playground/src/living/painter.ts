/**
 * The host's half of `screen.draw`: a flat list of numbers becomes a picture.
 *
 * | numbers                                                  | what                                       |
 * |----------------------------------------------------------|--------------------------------------------|
 * | 1, colour, alpha, x, y, radius                           | a dot                                      |
 * | 2, colour, alpha, width, count, x, y, x, y ...           | a smooth line; with width 0 a filled shape |
 * | 3, colour, alpha, x, y, half its width and height, angle | an oval                                    |
 *
 * Colours are those of the page, from 1 on, so that it follows dark and light. What makes no sense ends the
 * picture.
 */

/** Size of the area that programs draw in. */
const WIDTH = 960;
const HEIGHT = 540;
const COLOURS = ["ink", "moon-disc", "blue", "faint", "code-atom", "code-library", "code-keyword", "sky", "stone"];

let palette: string[] = [];

function readPalette(): void {
  const style = getComputedStyle(document.documentElement);
  palette = ["", ...COLOURS.map((name) => style.getPropertyValue(`--${name}`).trim())];
}

matchMedia("(prefers-color-scheme: light)").addEventListener("change", readPalette);

/** Place of the picture in a canvas: it covers all of it; the sides that do not fit are left out. */
function placed({ width, height }: HTMLCanvasElement): { scale: number; left: number; top: number } {
  const scale = Math.max(width / WIDTH, height / HEIGHT);
  return { scale, left: (width - WIDTH * scale) / 2, top: (height - HEIGHT * scale) * 0.7 };
}

/** Converts a place in the canvas, in its own pixels, to the program's. */
export function toProgram(canvas: HTMLCanvasElement, x: number, y: number): { x: number; y: number } {
  const { scale, left, top } = placed(canvas);
  return { x: (x - left) / scale, y: (y - top) / scale };
}

/** Draws a whole picture. */
export function paint(canvas: HTMLCanvasElement, numbers: Float32Array): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  if (palette.length === 0) readPalette();
  const { scale, left, top } = placed(canvas);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.globalAlpha = 1;
  context.fillStyle = palette[8] as string;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale, 0, 0, scale, left, top);
  context.lineCap = context.lineJoin = "round";
  const number = (index: number) => numbers[index] as number;
  /** Thinnest line: a pixel of the screen. */
  const thinnest = 1 / scale;

  for (let at = 0; at + 5 < numbers.length;) {
    const [kind, colour] = [number(at), palette[number(at + 1)]];
    if (colour === undefined) return;
    context.globalAlpha = Math.max(0, Math.min(1, number(at + 2)));
    if (kind === 1) {
      context.fillStyle = colour;
      context.beginPath();
      context.arc(number(at + 3), number(at + 4), Math.max(thinnest * 0.6, number(at + 5)), 0, 2 * Math.PI);
      context.fill();
      at += 6;
    } else if (kind === 3) {
      if (at + 8 > numbers.length) return;
      const [wide, high] = [number(at + 5), number(at + 6)];
      if (!(wide > 0 && high > 0)) return;
      context.fillStyle = colour;
      context.beginPath();
      context.ellipse(number(at + 3), number(at + 4), wide, high, number(at + 7), 0, 2 * Math.PI);
      context.fill();
      at += 8;
    } else if (kind === 2) {
      const [width, length] = [number(at + 3), number(at + 4)];
      const from = at + 5;
      if (!(length >= 4) || from + length > numbers.length) return;
      context.beginPath();
      if (width > 0) {
        line(context, numbers, from, from + length);
        context.strokeStyle = colour;
        context.lineWidth = Math.max(thinnest, width);
        context.stroke();
      } else {
        shape(context, numbers, from, from + length);
        context.fillStyle = colour;
        context.fill();
      }
      at = from + length;
    } else {
      return;
    }
  }
}

/** Traces a line through its first and last point, and smoothly past those between. */
function line(context: CanvasRenderingContext2D, points: Float32Array, from: number, end: number): void {
  const at = (index: number) => points[index] as number;
  context.moveTo(at(from), at(from + 1));
  for (let i = from + 2; i < end - 2; i += 2) {
    context.quadraticCurveTo(at(i), at(i + 1), (at(i) + at(i + 2)) / 2, (at(i + 1) + at(i + 3)) / 2);
  }
  context.lineTo(at(end - 2), at(end - 1));
}

function shape(context: CanvasRenderingContext2D, points: Float32Array, from: number, end: number): void {
  const at = (index: number) => points[index] as number;
  let [x, y] = [at(end - 2), at(end - 1)];
  context.moveTo((x + at(from)) / 2, (y + at(from + 1)) / 2);
  for (let i = from; i < end; i += 2) {
    const next = i + 2 < end ? i + 2 : from;
    [x, y] = [at(i), at(i + 1)];
    context.quadraticCurveTo(x, y, (x + at(next)) / 2, (y + at(next + 1)) / 2);
  }
  context.closePath();
}
