import { describe, expect, it } from 'vitest';
import { fieldsOf, render } from './template';

const fields = { title: 'The Ox', lesson: 'Wait.', 'with space': 'x' };

describe('render', () => {
  it.each([
    ['', ''],
    ['{title}: {lesson}', 'The Ox: Wait.'],
    ['{ title }', 'The Ox'],
    ['{{title}}', '{title}'],
    ['{{{title}}}', '{The Ox}'],
    ['{with space} é😀', 'x é😀'],
  ])('%s', (source, want) => {
    expect(render(source, fields)).toBe(want);
  });
  it.each(['{title', 'title}', '{}', '{ }', '{a{b}}', '{a\nb}'])('refuses %j', (source) => {
    expect(() => render(source, fields)).toThrow();
  });
  it('names the field that is missing and those that are there', () => {
    expect(() => render('{moral}', fields)).toThrow('no field "moral". It has: lesson, title, with space');
    expect(() => render('{toString}', fields)).toThrow('no field "toString"');
  });
});

it('lists each field once', () => {
  expect(fieldsOf('{title} {lesson} {title}')).toEqual(['title', 'lesson']);
});
