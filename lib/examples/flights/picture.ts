import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { MessageLoss } from './frozen.ts';

type Day = { readonly day: string; readonly loss: number };

/**
 * Draws the mean log loss of each day of the stream, of the frozen and of the online model, as an
 * SVG.
 *
 * @param days the day of each message: that of message `seq` at `seq − 1`
 */
export async function drawPicture(
  frozen: readonly MessageLoss[],
  online: readonly MessageLoss[],
  days: readonly string[],
): Promise<string> {
  const curves = { 'frozen after January': frozen, 'online, learning from the stream': online };
  const values = Object.entries(curves).flatMap(([curve, losses]) =>
    lossOfDays(losses, days).map((day) => ({ ...day, curve })),
  );
  const view = new View(parse(compile(pictureOf(values)).spec), { renderer: 'none' });
  return await view.toSVG();
}

/** The mean loss of the samples of each day. */
export function lossOfDays(losses: readonly MessageLoss[], days: readonly string[]): Day[] {
  const byDay = Map.groupBy(losses, ({ seq }) => days[seq - 1] ?? '');
  return [...byDay].map(([day, messages]) => {
    const samples = messages.reduce((sum, message) => sum + message.samples, 0);
    return { day, loss: messages.reduce((sum, message) => sum + message.loss, 0) / samples };
  });
}

function pictureOf(values: readonly (Day & { readonly curve: string })[]): TopLevelSpec {
  return {
    width: 780,
    height: 240,
    padding: 12,
    background: 'white',
    data: { values: values.map((value) => ({ ...value })) },
    mark: { type: 'line', strokeWidth: 2, interpolate: 'monotone' },
    encoding: {
      x: {
        field: 'day',
        type: 'temporal',
        timeUnit: 'utcyearmonthdate',
        title: null,
        axis: { format: '%B %-d' },
      },
      y: {
        field: 'loss',
        type: 'quantitative',
        title: 'log loss of each day',
        scale: { zero: false },
        axis: { tickCount: 5 },
      },
      color: {
        field: 'curve',
        type: 'nominal',
        scale: { range: ['#9aa0a6', '#d6522b'] },
        legend: {
          title: null,
          orient: 'top',
          labelFontSize: 13,
          labelLimit: 400,
          symbolStrokeWidth: 3,
        },
      },
    },
    config: {
      font: 'system-ui, sans-serif',
      view: { stroke: null },
      axis: {
        titleFontWeight: 'normal',
        titlePadding: 12,
        gridColor: '#eeeeee',
        domainColor: '#cccccc',
        tickColor: '#cccccc',
      },
    },
  };
}
