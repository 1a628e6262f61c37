// Design tokens: the only place that defines a color, a size or a radius. views/tokens_test.go reads
// the colors and fails if the contrast of text or of an edge is too low.

// The value of each color in the light and in the dark theme.
const colors = {
  // Backgrounds and lines.
  'paper': ['#faf8f5', '#141211'],
  'surface': ['#ffffff', '#1d1a18'],
  'line': ['#e7e2dc', '#332e2a'],
  'edge': ['#8c8278', '#7d736a'], // the edge of a control: 3:1 on paper and surface
  // Text.
  'ink': ['#1f1b18', '#f3efe9'],
  'quiet': ['#574f48', '#b5aba1'],
  // Velvet, the accent color.
  'velvet': ['#8a1c3b', '#f29ab0'],
  'velvet-deep': ['#6d142d', '#f8bccb'], // on hover
  'velvet-wash': ['#f8ecef', '#2d1a20'],
  'on-velvet': ['#ffffff', '#2a0d16'],
  // Status colors, each with its background (wash).
  'good': ['#1f6b45', '#7fd1a6'],
  'good-wash': ['#e8f3ec', '#18271f'],
  'wait': ['#8a5a00', '#f0c267'],
  'wait-wash': ['#fbf2df', '#2a2213'],
  'bad': ['#b3261e', '#ff9a8f'],
  'bad-wash': ['#fceeec', '#301b18'],
  'note': ['#2b5c8a', '#8fc1ee'],
  'note-wash': ['#eaf2f9', '#17232e'],
};

const names = Object.keys(colors);
const variables = (shade) => Object.fromEntries(names.map((name) => [`--${name}`, colors[name][shade]]));

export default {
  // The system's theme, unless the browser chose one: the server puts it into data-theme.
  darkMode: ['variant', [
    '@media (prefers-color-scheme: dark) { &:where(:root:not([data-theme="light"]) *) }',
    '&:where([data-theme="dark"] *)',
  ]],
  theme: {
    colors: {
      transparent: 'transparent',
      current: 'currentColor',
      ...Object.fromEntries(names.map((name) => [name, `var(--${name})`])),
    },
    fontFamily: {
      sans: ['ui-sans-serif', 'system-ui', '-apple-system', '"Segoe UI"', 'Roboto', '"Noto Sans"', '"Helvetica Neue"', 'Arial', 'sans-serif'],
      mono: ['ui-monospace', '"SF Mono"', 'Menlo', 'Consolas', '"Liberation Mono"', 'monospace'],
    },
    // 13 15 17 21 28 40 px at the browser's default font size.
    fontSize: {
      small: ['0.8125rem', '1.25rem'],
      body: ['0.9375rem', '1.5rem'],
      lead: ['1.0625rem', '1.625rem'],
      title: ['1.3125rem', '1.75rem'],
      head: ['1.75rem', '2.125rem'],
      figure: ['2.5rem', '2.75rem'],
    },
    fontWeight: { normal: '400', medium: '550', strong: '600' },
    borderRadius: { none: '0', DEFAULT: '0.5rem', card: '0.75rem', full: '9999px' },
    boxShadow: { float: '0 8px 28px -8px rgb(20 12 8 / 0.28)' },
    // In rem, so that large text gets the narrow layout.
    screens: { sm: '40rem', md: '50rem', lg: '64rem' },
    extend: {
      maxWidth: { page: '67.5rem', text: '65ch', form: '27rem' },
      transitionDuration: { DEFAULT: '150ms' },
    },
  },
  plugins: [
    ({ addBase }) => addBase({
      ':root': { 'color-scheme': 'light dark', ...variables(0) },
      '@media (prefers-color-scheme: dark)': { ':root:not([data-theme="light"])': variables(1) },
      ':root[data-theme="light"]': { 'color-scheme': 'light' },
      ':root[data-theme="dark"]': { 'color-scheme': 'dark', ...variables(1) },
    }),
  ],
};
