/* A Modbus TCP server on libmodbus: server PORT, its registers as lines "ADDRESS TYPE NUMBER" on stdin, "." ends them.
   Floats and numbers of several registers are put in by libmodbus's own functions and macros. It serves one client. */
#include <errno.h>
#include <inttypes.h>
#include <modbus.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void put(uint16_t *at, const char *type, const char *number) {
    if (!strcmp(type, "f32")) {
        uint16_t low_first[2];
        modbus_set_float(strtof(number, NULL), low_first); /* what _abcd does differs between versions */
        at[0] = low_first[1];
        at[1] = low_first[0];
    } else if (!strcmp(type, "u64")) {
        uint64_t value = strtoull(number, NULL, 10);
        MODBUS_SET_INT64_TO_INT16(at, 0, value);
    } else if (!strcmp(type, "i64")) {
        int64_t value = strtoll(number, NULL, 10);
        MODBUS_SET_INT64_TO_INT16(at, 0, value);
    } else if (!strcmp(type, "u32") || !strcmp(type, "i32")) {
        uint32_t value = (uint32_t)strtoll(number, NULL, 10);
        MODBUS_SET_INT32_TO_INT16(at, 0, value);
    } else {
        at[0] = (uint16_t)strtol(number, NULL, 10);
    }
}

int main(int argc, char **argv) {
    uint8_t query[MODBUS_TCP_MAX_ADU_LENGTH];
    char type[8], number[32], line[96];
    int address, listening, count;
    modbus_t *context = modbus_new_tcp("127.0.0.1", argc > 1 ? atoi(argv[1]) : 1502);
    modbus_mapping_t *mapping = modbus_mapping_new(16, 16, 65535, 65535);
    if (!context || !mapping) return 1;
    while (fgets(line, sizeof line, stdin) && line[0] != '.') {
        if (sscanf(line, "%d %7s %31s", &address, type, number) != 3) return 2;
        put(mapping->tab_registers + address, type, number);
        put(mapping->tab_input_registers + address, type, number);
    }
    listening = modbus_tcp_listen(context, 1);
    if (listening < 0) return 3;
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (modbus_tcp_accept(context, &listening) < 0) return 4;
        while ((count = modbus_receive(context, query)) >= 0)
            if (count > 0) modbus_reply(context, query, count, mapping);
        modbus_close(context);
    }
}
