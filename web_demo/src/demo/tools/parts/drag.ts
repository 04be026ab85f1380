import './drag.css';

import { make } from '../../dom';

/** A pointer that has moved less than this still clicks. */
const SLACK = 6;

export interface DragOptions {
  /** Where it may be dropped. */
  readonly targets: () => readonly HTMLElement[];
  readonly onDrop: (target: HTMLElement) => void;
}

/**
 * Let a picture be dragged with a mouse or a pen. Fingers scroll instead: whatever is dragged can also be tapped or
 * reached by the keyboard. (The browser's own dragging works on no button in Firefox, and not at all by touch.)
 */
export function makeDraggable(source: HTMLElement, { targets, onDrop }: DragOptions): void {
  source.addEventListener('pointerdown', (down) => {
    if (down.button !== 0 || down.pointerType === 'touch') return;
    const listening = new AbortController();
    let ghost: HTMLCanvasElement | null = null;
    let over: HTMLElement | undefined;
    const end = () => {
      listening.abort();
      ghost?.remove();
      over?.classList.remove('drop-here');
    };
    const move = (event: PointerEvent) => {
      if (ghost === null && Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) < SLACK) return;
      ghost ??= ghostOf(source);
      ghost.style.translate = `${event.clientX}px ${event.clientY}px`;
      over?.classList.remove('drop-here');
      over = targets().find((target) => target !== source && isInside(event, target));
      over?.classList.add('drop-here');
    };
    const drop = () => {
      if (ghost !== null) swallowClick();
      const target = over;
      end();
      if (target) onDrop(target);
    };
    const { signal } = listening;
    addEventListener('pointermove', move, { signal });
    addEventListener('pointerup', drop, { signal });
    addEventListener('pointercancel', end, { signal });
    addEventListener('keydown', ({ key }) => key === 'Escape' && end(), { signal });
  });
}

/** The picture that goes along with the pointer. */
function ghostOf(source: HTMLElement): HTMLCanvasElement {
  const canvas = source.querySelector('canvas');
  const { width, height } = canvas ?? { width: 1, height: 1 };
  const ghost = make('canvas', { class: `ghost ${canvas?.className ?? ''}`, width, height });
  if (canvas) ghost.getContext('2d')?.drawImage(canvas, 0, 0);
  document.body.append(ghost);
  return ghost;
}

function isInside({ clientX: x, clientY: y }: PointerEvent, target: HTMLElement): boolean {
  const { left, right, top, bottom } = target.getBoundingClientRect();
  return x >= left && x < right && y >= top && y < bottom;
}

/** Where a pointer that has dragged is let go, nothing was clicked. */
function swallowClick(): void {
  const swallow = (event: Event) => event.stopPropagation();
  addEventListener('click', swallow, { capture: true, once: true });
  setTimeout(() => removeEventListener('click', swallow, { capture: true }));
}
