import { formatSpan } from "../time-span.ts";
import { escapeXml } from "./escape.ts";

/** One quantity over time. */
export interface Line {
  readonly name: string;
  /** A CSS class of `style.ts` that gives the colour: "pods", "warm" … */
  readonly look: string;
  readonly values: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly atMs: readonly number[];
  readonly lines: readonly Line[];
  /** True piles the lines up as areas. */
  readonly stacked?: boolean;
  /** The top of the axis; that of the data when absent. Charts side by side share one. */
  readonly top?: number;
}

const width = 560;
const height = 220;
const left = 56;
const right = 12;
const above = 8;
const below = 26;
const plotWidth = width - left - right;
const plotHeight = height - above - below;
/** Points that can be told apart at this width, and places that answer to the mouse. */
const mostPoints = 600;
const mostHovers = 60;

/** The largest value that a chart shows. */
export function topOf({ lines, stacked }: Pick<Chart, "lines" | "stacked">): number {
  const length = lines[0]?.values.length ?? 0;
  let top = 0;
  for (let index = 0; index < length; index++) {
    const values = lines.map(({ values: all }) => all[index] ?? 0);
    top = Math.max(
      top,
      stacked === true ? values.reduce((sum, value) => sum + value, 0) : Math.max(...values),
    );
  }
  return top;
}

/** A chart as a figure with an inline SVG and its legend. */
export function renderChart(chart: Chart): string {
  const { title, atMs, lines } = chart;
  const step = niceStep((chart.top ?? topOf(chart)) / 4);
  const top = Math.max(Math.ceil((chart.top ?? topOf(chart)) / step), 1) * step;
  const endMs = Math.max(atMs.at(-1) ?? 1, 1);
  const x = (ms: number): number => left + (ms / endMs) * plotWidth;
  const y = (value: number): number => above + plotHeight - (value / top) * plotHeight;
  const every = Math.max(Math.ceil(atMs.length / mostPoints), 1);
  const shown = atMs
    .map((_, index) => index)
    .filter((index) => index % every === 0 || index === atMs.length - 1);
  const legend = lines
    .map(({ name, look }) => `<span class="key"><i class="${look}"></i>${escapeXml(name)}</span>`)
    .join("");
  return `<figure>
<figcaption>${escapeXml(title)}</figcaption>
<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(title)}">
${valueAxis(step, top, y)}${timeAxis(endMs, x)}
${chart.stacked === true ? areas(chart, shown, x, y) : strokes(chart, shown, x, y)}
${hovers(chart, shown, x)}
</svg>
<div class="legend">${legend}</div>
</figure>`;
}

function valueAxis(step: number, top: number, y: (value: number) => number): string {
  let text = "";
  for (let value = 0; value <= top + step / 2; value += step) {
    const at = round(y(value));
    text += `<line class="grid" x1="${left}" x2="${width - right}" y1="${at}" y2="${at}"/>`;
    text += `<text class="tick" x="${left - 6}" y="${at + 4}" text-anchor="end">${formatCount(value)}</text>`;
  }
  return text;
}

const timeStepsMs = [1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400].map(
  (seconds) => seconds * 1000,
);

function timeAxis(endMs: number, x: (ms: number) => number): string {
  const step = timeStepsMs.find((one) => endMs / one <= 6) ?? endMs / 6;
  let text = "";
  for (let at = 0; at <= endMs; at += step) {
    const label = at === 0 ? "0" : formatSpan(at).replace(" ", "");
    const anchor = at === 0 ? "start" : at + step > endMs && endMs - at < step / 4 ? "end" : "middle";
    text += `<text class="tick" x="${round(x(at))}" y="${height - 8}" text-anchor="${anchor}">${label}</text>`;
  }
  return text;
}

type Place = (value: number) => number;

function strokes({ atMs, lines }: Chart, shown: readonly number[], x: Place, y: Place): string {
  return lines
    .map(({ look, values }) => {
      const points = shown.map((index) => `${round(x(atMs[index] ?? 0))},${round(y(values[index] ?? 0))}`);
      return `<polyline class="line ${look}" points="${points.join(" ")}"/>`;
    })
    .join("\n");
}

function areas({ atMs, lines }: Chart, shown: readonly number[], x: Place, y: Place): string {
  const base = shown.map(() => 0);
  return lines
    .map(({ look, values }) => {
      const lower = shown.map((index, place) => point(x(atMs[index] ?? 0), y(base[place] ?? 0)));
      for (const [place, index] of shown.entries()) base[place] = (base[place] ?? 0) + (values[index] ?? 0);
      const upper = shown.map((index, place) => point(x(atMs[index] ?? 0), y(base[place] ?? 0)));
      return `<polygon class="area ${look}" points="${[...upper, ...lower.toReversed()].join(" ")}"/>`;
    })
    .join("\n");
}

/** Strips over the plot that tell their values when the mouse rests on them. */
function hovers({ atMs, lines }: Chart, shown: readonly number[], x: Place): string {
  const every = Math.max(Math.ceil(shown.length / mostHovers), 1);
  const told = shown.filter((_, place) => place % every === 0);
  const strip = plotWidth / Math.max(told.length, 1);
  return told
    .map((index) => {
      const at = atMs[index] ?? 0;
      const values = lines.map(({ name, values: all }) => `${name}: ${formatCount(all[index] ?? 0)}`);
      const words = escapeXml([formatSpan(at), ...values].join("\n"));
      const from = Math.max(x(at) - strip / 2, left);
      return `<rect class="hover" x="${round(from)}" y="${above}" width="${round(strip)}" height="${plotHeight}"><title>${words}</title></rect>`;
    })
    .join("");
}

/** 1, 2 or 5 times a power of ten, not below `least`; at least one hundredth. */
function niceStep(least: number): number {
  if (least <= 0.01) return 0.25;
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

export function formatCount(value: number): string {
  if (value >= 10_000) return `${Math.round(value / 100) / 10}k`;
  return String(Math.round(value * 100) / 100);
}

function point(x: number, y: number): string {
  return `${round(x)},${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
