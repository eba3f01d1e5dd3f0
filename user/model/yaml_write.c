/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "yaml_write.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define PLAIN_CHARACTERS                                                                           \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
	"abcdefghijklmnopqrstuvwxyz0123456789._/-"

static bool emit(yaml_emitter_t *emitter, yaml_event_t *event, int made)
{
	return made && yaml_emitter_emit(emitter, event);
}

/*
 * Needs a text no quotes, here and for other readers of YAML? Those take words like yes and no for
 * booleans, and what begins with a digit for a number or a date.
 */
static bool is_plain(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n",   "~"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(text, words[i]))
			return false;
	return ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')) &&
	       !text[strspn(text, PLAIN_CHARACTERS)];
}

static bool emit_scalar(yaml_emitter_t *emitter, const char *text, bool plain)
{
	yaml_event_t event;

	return emit(emitter, &event,
		    yaml_scalar_event_initialize(
			    &event, NULL, NULL, (yaml_char_t *)text, strlen(text), plain, !plain,
			    plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value);

static bool emit_list(yaml_emitter_t *emitter, const json_t *list)
{
	yaml_event_t event;
	bool done = emit(emitter, &event,
			 yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
							      YAML_BLOCK_SEQUENCE_STYLE));

	for (size_t i = 0; done && i < json_array_size(list); i++)
		done = emit_value(emitter, json_array_get(list, i));
	return done && emit(emitter, &event, yaml_sequence_end_event_initialize(&event));
}

static bool emit_mapping(yaml_emitter_t *emitter, const json_t *mapping)
{
	yaml_event_t event;
	bool done = emit(emitter, &event,
			 yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
							     YAML_BLOCK_MAPPING_STYLE));
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)mapping, key, value)
		done = done && emit_scalar(emitter, key, is_plain(key)) &&
		       emit_value(emitter, value);
	return done && emit(emitter, &event, yaml_mapping_end_event_initialize(&event));
}

static bool emit_value(yaml_emitter_t *emitter, const json_t *value)
{
	const char *string = json_string_value(value);
	char *text;
	bool done;

	if (json_is_array(value))
		return emit_list(emitter, value);
	if (json_is_object(value))
		return emit_mapping(emitter, value);
	if (string)
		return emit_scalar(emitter, string, is_plain(string));
	text = json_dumps(value, JSON_ENCODE_ANY);
	done = text && emit_scalar(emitter, text, true);
	free(text);
	return done;
}

int yaml_write(FILE *out, const json_t *root)
{
	yaml_emitter_t emitter;
	yaml_event_t event;
	bool done;

	if (!yaml_emitter_initialize(&emitter))
		return -ENOMEM;
	yaml_emitter_set_output_file(&emitter, out);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	done = emit(&emitter, &event,
		    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING)) &&
	       emit(&emitter, &event,
		    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1)) &&
	       emit_value(&emitter, root) &&
	       emit(&emitter, &event, yaml_document_end_event_initialize(&event, 1)) &&
	       emit(&emitter, &event, yaml_stream_end_event_initialize(&event));
	yaml_emitter_delete(&emitter);
	return done ? 0 : -EIO;
}
