"""What panels are about, in Chinese, by the English sentence."""

from typing import Final

SENTENCES: Final[dict[str, str]] = {
    "Active power of each meter, all phases together, as it was read last.": "各电表三相合计有功功率，最近一次读数。",
    "Against the bound that the site file sets.": "上限由站点文件设定。",
    "Alarms of the gate that were raised: trucks that were refused, and queues that were too long.": (
        "闸口触发的告警：被拒绝的集卡，以及过长的排队。"
    ),
    "Alarms that were raised and not cleared, of the last 30 days and the last 1,000 changes.": (
        "已触发且未消除的告警，取最近 30 天、最近 1000 次变化。"
    ),
    "As it was counted with each entry and exit.": "每次进出时的计数。",
    "As it was told last: heard = judged + dropped + waiting + unjudged, since the journal of the gateway began.": (
        "最近一次上报：收到 = 已判定 + 丢弃 + 等待 + 未判定，自网关日志建立起累计。"
    ),
    "As machines told them. A line begins with the first change of this time.": (
        "由设备上报。每行从本时段内第一次变化开始。"
    ),
    "As parts of one core: all rules together, and the work beside them in parentheses.": (
        "占单个处理器核的比例：全部规则合计，括号内为规则以外的工作。"
    ),
    "As the meters measure it.": "电表测量值。",
    "As they were told last: made = stored + refused + queued.": "最近一次上报：生成 = 已存储 + 被拒 + 排队。",
    "At entries and exits.": "入口与出口合计。",
    "Availability, performance and quality multiplied: mean of the intervals.": (
        "时间开动率、性能开动率与合格率之积，取各区间均值。"
    ),
    "Barriers that rose without a grant, or were granted and did not rise.": (
        "未经许可抬起的道闸，或许可后未抬起的道闸。"
    ),
    "By the hour in which trucks left: half of them, nine of ten, and the longest.": (
        "按集卡离场的小时统计：半数、九成与最长。"
    ),
    "By the hour in which trucks reached a lane. The queue is not part of the turn time.": (
        "按集卡到达车道的小时统计。排队不计入周转时间。"
    ),
    "By the zone that containers came to.": "按集装箱到达的区域统计。",
    "Cards that may not pass.": "不准通行的卡。",
    "Cards that may not pass. The list below says why.": "不准通行的卡。原因见下方列表。",
    "Containers that have stayed for longer than the yard allows.": "在场时间超过堆场规定的集装箱。",
    "Containers that were seen in another zone of the yard.": "在堆场另一区域被识别到的集装箱。",
    "Decisions of the gate that did not open.": "闸口未放行的判定。",
    "Devices that are offline or degraded now, of all of the last 30 days.": (
        "最近 30 天内的设备中，当前离线或降级的数量。"
    ),
    "Devices that are offline or degraded now, of all that were heard of in the last 30 days.": (
        "最近 30 天内有上报的设备中，当前离线或降级的数量。"
    ),
    "Each change of the last day: a device whose state did not change in it has no line.": (
        "最近一天的每次变化；期间状态未变的设备没有线条。"
    ),
    "Entries without an exit before, exits without an entry, entries into a full area.": (
        "未出先入、未入先出，以及满位后的进入。"
    ),
    (
        "Every alarm that was raised and not cleared, of the last 30 days and the last 1,000 changes. Acknowledge "
        "them in the console."
    ): "已触发且未消除的全部告警，取最近 30 天、最近 1000 次变化。请在控制台确认。",
    "From the arrival at a station to the arrival at the next: nine of ten took no longer.": (
        "从到达一个工位到到达下一工位：九成不超过此值。"
    ),
    "From the arrival at the detector to the last that was heard of the truck: nine of ten, by lane.": (
        "从到达检测器到该集卡最后一次被识别：九成不超过此值，按车道。"
    ),
    "From the arrival in the queue to the first read in a lane: nine of ten trucks waited no longer.": (
        "从进入排队到在车道首次被识别：九成集卡等待不超过此值。"
    ),
    "From the card to the barrier that is up.": "从刷卡到道闸抬起。",
    "From the card to the barrier: nine of ten were faster.": "从刷卡到道闸抬起：九成快于此值。",
    (
        "From the end of the gate-in to the end of the gate-out, as TIC 4.0 defines the turnaround: half of the "
        "trucks took no longer."
    ): "从进闸结束到出闸结束，按 TIC 4.0 的周转定义：半数集卡不超过此值。",
    "From the socket to the committed store: 99 of 100 batches were faster, at the worst.": (
        "从网络接收到写入存储：最差时段内 99% 的批次快于此值。"
    ),
    "From the transaction in to the transaction out, of containers that left: half of them no longer.": (
        "已离场集装箱从进闸作业到出闸作业：半数不超过此值。"
    ),
    "From the transaction in to the transaction out: half of the containers, nine of ten, the longest.": (
        "从进闸作业到出闸作业：半数、九成与最长。"
    ),
    "Half of the trucks took no longer from gate-in to gate-out.": "半数集卡从进闸到出闸不超过此值。",
    "How far the clock of a device is from that of the gateway, when it was told. Times are corrected by it.": (
        "上报时设备时钟与网关时钟之差。时间据此校正。"
    ),
    "How long containers had been in the zone that they left: half of them.": "集装箱在所离开区域的停留时间：半数值。",
    (
        "How long containers were not seen by any antenna before they were seen in another zone: nine of ten. What "
        "rises here is a blind spot."
    ): "集装箱在另一区域被识别之前，未被任何天线识别的时间：九成值。此值上升说明存在盲区。",
    "How many different tags an antenna read in an interval: the most of each step.": (
        "一个区间内天线读到的不同标签数，取每步最大值。"
    ),
    "How often the link to a device was made anew, in all of its life: told with each change of state.": (
        "与设备重新建立连接的累计次数，随每次状态变化上报。"
    ),
    "In this time, estimated from batches that are measured.": "本时段内，由抽样批次估算。",
    "Inputs of the same devices. A change is told once: a line begins with the first of this time.": (
        "同一设备的输入点。变化只上报一次：每行从本时段第一次变化开始。"
    ),
    "Items that wait at a gateway, by kind: what rises does not keep up.": (
        "在网关等待的数据项，按类别：持续上升说明处理不及。"
    ),
    "Items that will never be judged, in each step.": "每步内不会再被判定的数据项。",
    "Items that will never be judged.": "不会再被判定的数据项。",
    "Items that will never be judged. Each has its reason below.": "不会再被判定的数据项。原因见下。",
    "Kinds of items of which heard is not judged + dropped + waiting + unjudged. Any is a defect.": (
        "收到 ≠ 已判定 + 丢弃 + 等待 + 未判定 的数据类别数。大于零即为缺陷。"
    ),
    "Load, demand against its limit, tariffs, quality of supply, cost, and the energy books.": (
        "负荷、需量与限额、分时电价、供电质量、费用与电量账本。"
    ),
    "Machines and their OEE, stops, work in progress, missed stations, and energy per unit.": (
        "机台及其 OEE、停机、在制品、漏站与单位产品能耗。"
    ),
    "Mean power of reads, by antenna. A slow fall is a connector, a sudden one a cable.": (
        "各天线读取的平均功率。缓降多为接头，骤降多为馈线。"
    ),
    (
        "Mean power of the window that is billed: as the meter tells it or as it was reckoned, and what it will be at "
        "the end of the window."
    ): "计费窗口内的平均功率：电表上报或推算值，以及窗口结束时的预测值。",
    "Moves, how long containers stay, seals that were opened, temperatures and power of reefers.": (
        "移箱、集装箱停留时间、被打开的封志、冷藏箱温度与供电。"
    ),
    "Of all antennas that are chosen together, in each second that one was watched.": (
        "所选全部天线合计，按被监视的每一秒计。"
    ),
    "Of all antennas together, in each second that one was watched.": "全部天线合计，按被监视的每一秒计。",
    "Of all machines that are chosen. Time that nobody watched is no stop.": "所选全部机台。无监视的时间不算停机。",
    "Of all phases together; below 0.9 the supplier adds to the bill.": "各相合计；低于 0.9 将加收力调电费。",
    "Of devices that tell one, as a signal or as a reading. Set-points stand with the alarms below.": (
        "以信号或读数上报温度的设备。设定值见下方告警。"
    ),
    "Of each hour, by meter and tariff; without a tariff it is that of the whole meter.": (
        "每小时费用，按电表与时段；无时段者为整表费用。"
    ),
    "Of each machine; a gap is an interval of which a factor is not known.": "各机台；缺口表示该区间有因子未知。",
    "Of each meter, all phases together.": "各电表三相合计。",
    "Of each meter, by the hour. Where there are fewer, some are missing.": "各电表每小时区间数。偏少说明有缺失。",
    "Of each phase against neutral.": "各相对中性线。",
    "Of each phase.": "各相。",
    "Of the batches of each interval: half, and 99 of 100.": "各区间的批次：半数与 99%。",
    "Of the machines that are chosen, in planned time.": "所选机台，计划时间内。",
    "Of the machines that have a meter.": "配有电表的机台。",
    "Of the machines that have a meter: all their energy by all that they made.": "配有电表的机台：总能耗除以总产量。",
    (
        "Of the total of each meter. Gaps and estimates add up to the register all the same; only where in time they "
        "lie is not known."
    ): "各电表总量。缺口与估算之和仍与表码一致，只是时间分布未知。",
    "Of those who left: half of them, nine of ten, and the longest.": "已离场者：半数、九成与最长。",
    "Of voltages and of currents.": "电压与电流。",
    "Places that are left. Areas without a capacity have none.": "剩余车位。未设容量的区域没有此值。",
    "Points that a store could not take; they are in the quarantine.": "存储拒收的数据点，已放入隔离区。",
    "Power that must go until the end of the window: above the line the contracted demand will be exceeded.": (
        "到窗口结束前须削减的功率：高于横线则将超过合同需量。"
    ),
    (
        "Reads in each watched second, in the time that is shown and in the seven days before it began. An antenna "
        "that reads half of what it did has lost its cable, its place or its work."
    ): "每个被监视秒内的读取次数：显示时段与其开始前七天对比。降到一半的天线，可能馈线、位置或业务有变。",
    "Reads of each antenna in each second that it was watched.": "各天线在被监视的每一秒内的读取次数。",
    "Reads, cards, readings and signals of each gateway.": "各网关的标签读取、刷卡、读数与信号。",
    "Reefers that left their set-point, or were without power, for too long.": "偏离设定温度或断电过久的冷藏箱。",
    (
        "Rows with a tariff divide the row without one: read the one or the others. Cost is in the currency of the "
        "price list, not rounded; rows without a price have none."
    ): "带时段的行是无时段行的分解，两者取其一。费用以价目表币种计，未取整；没有价格的行无费用。",
    "Seals whose tag says that they are open, away from gate and customs.": "在闸口与海关以外，标签显示已打开的封志。",
    "So much less until the end of the window, or the contracted demand is exceeded.": (
        "到窗口结束前须减少的功率，否则将超过合同需量。"
    ),
    (
        "So much less until the end of the window, or the contracted demand is exceeded. Below 0 there is room. Only "
        "meters with a limit have it."
    ): "到窗口结束前须减少的功率，否则将超过合同需量。小于 0 表示尚有余量。仅有限额的电表有此值。",
    "Stops of the machines that are chosen, planned ones too.": "所选机台的停机次数，含计划停机。",
    "That were counted in this time.": "本时段计数。",
    "That were counted: an exit without its entry is none.": "有效计数：没有入场记录的出场不计。",
    "The good part of what was made.": "产量中的合格部分。",
    "The largest of each interval, by the clock or sliding, from the books.": "账本中各区间的最大值，固定窗口或滑差。",
    "The last that was heard of each device in 30 days. Reconnects are all of its life.": (
        "各设备 30 天内的最近状态。重连次数为其全程累计。"
    ),
    "The loss ledger, backlogs, latency, stores, and what rules cost.": "损失账、积压、延迟、存储与规则开销。",
    "The mean of the antennas that are chosen; below -70 dBm tags are read by luck.": (
        "所选天线的平均值；低于 -70 dBm 时读取靠运气。"
    ),
    "The newest 50 cards, and what became of them.": "最近 50 次刷卡及其结果。",
    "The newest 50 decisions of the lanes that are chosen, with what they rest on.": "所选车道最近 50 次判定及其依据。",
    "The newest 50, with the stations that were missed.": "最近 50 条，含漏过的工位。",
    "The newest 50.": "最近 50 条。",
    "The newest 50: demand, quality of supply, and the meters themselves.": "最近 50 条：需量、供电质量与电表自身。",
    "The newest 50: passages that cannot be, stays that are too long, duress, fire.": (
        "最近 50 条：违规通行、停留过久、胁迫刷卡、火警。"
    ),
    "The newest 50: the value that was too far from its set-point.": "最近 50 条：偏离设定值过多的测量值。",
    (
        "The newest decision of each lane in the time that is shown. `show` leads to its evidence: reads, weight, "
        "look-ups."
    ): "显示时段内各车道的最近判定。点“查看”可见证据：读取、重量、查询结果。",
    "The reasons that took the most time, planned ones too.": "耗时最多的停机原因，含计划停机。",
    "The same antennas at the same hours of the day before.": "同一天线在前一日同一时刻。",
    "The wall screen: what stands now, and one line for each part of the site, which leads to its board.": (
        "大屏：当前告警，以及站点各部分各一行，可进入相应看板。"
    ),
    "They are on disk and lost by no crash.": "已落盘，崩溃不会丢失。",
    "Things between the first station of a line and its end.": "产线首工位与末端之间的在制品。",
    "Things on each line now.": "各产线当前在制品数。",
    "Things that left their line and had passed all of its stations.": "经过全部工位后离线的在制品。",
    "Things that left their line without one of its stations.": "漏过工位而离线的在制品。",
    "Things that left their line, with all of its stations or without.": "离线的在制品，含完整与漏站。",
    "Time of execute in planned time of which the state is known.": "状态已知的计划时间中运行时间所占比例。",
    "Total, of each phase; 5 % is the limit at 0.38 kV.": "各相总畸变率；0.38 kV 限值为 5%。",
    "Transactions of all lanes in this time.": "本时段全部车道的作业数。",
    "Transactions of each lane by full hours.": "各车道每整点小时的作业数。",
    "Transactions of each lane by full hours. The hour that runs is not over yet.": (
        "各车道每整点小时的作业数。当前小时尚未结束。"
    ),
    "Transactions of the lanes that are chosen: each is one truck that came and went.": (
        "所选车道的作业数：每次作业为一辆集卡进入并离开车道。"
    ),
    "Trucks of which not all was read that must be: somebody has to look.": "必读信息未读全的集卡：需人工查看。",
    "Trucks that a list, a weight or a seal held back. The lanes below say why.": (
        "因名单、重量或封志被扣留的集卡。原因见下方车道。"
    ),
    "Trucks that could drive on at once.": "可直接通过的集卡。",
    "What came to a station and to no other yet.": "到达某工位后尚未到达其他工位的数量。",
    "What each antenna reads, measured by itself a week before; links, clocks, and time unwatched.": (
        "各天线的读取，与自身前一周对比；连接、时钟与无监视时间。"
    ),
    "What part of one processor core it takes, all of its work together.": "全部工作合计占单个处理器核的比例。",
    "What part of the time each antenna was really being read. Silence counts as silence only then.": (
        "各天线真正处于读取状态的时间比例。只有此时的静默才算静默。"
    ),
    "What passes the gate, how long trucks take, what the lanes decided and why.": (
        "闸口通过量、集卡用时、车道判定及原因。"
    ),
    "What the lanes decided: open, hold for people, or trouble because something was not read.": (
        "车道判定：放行、人工扣留，或因未读全而异常。"
    ),
    "What was drawn in each hour, as the registers say.": "每小时用电量，按表码。",
    "What was drawn in each hour, of meters whose energy is divided by tariffs.": "每小时用电量，限有分时的电表。",
    "What was drawn in this time, of all meters that are chosen: sub-meters count, too.": (
        "本时段用电量，所选电表合计，含分表。"
    ),
    "What was made, by what the ideal rate would have made.": "实际产量与理想速率产量之比。",
    "What went wrong, by rule; its name ends with the station.": "按规则统计的差错；规则名以工位结尾。",
    "Who entered and has not left, as it was counted last.": "已入场未离场者，最近一次计数。",
    "Who has been inside for longer than the area allows.": "在场时间超过区域规定者。",
    "Who is inside, what is free, who was refused and why, and how fast barriers answer.": (
        "在场、空位、被拒及原因，以及道闸响应速度。"
    ),
    "Whole vehicles on the weighbridge of each lane when they stood still; the heaviest of each step.": (
        "各车道地磅上整车静止时的重量，取每步最重者。"
    ),
}
