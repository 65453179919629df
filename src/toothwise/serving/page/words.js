// What the page says, in English and Korean. Places in {braces} are filled in.

const KOREAN = {
  "Which gear tooth is going bad, how badly, and how sure.": "어느 기어 이가 얼마나 나빠지고 있으며 얼마나 확실한지 알려 줍니다.",
  "Access token of this service": "이 서비스의 접근 토큰",
  "Use it": "사용",
  "Choose a map": "맵 파일을 고르거나",
  "Choose a map or a recording": "맵 또는 진동 기록 파일을 고르거나",
  ", or drop it here": " 여기에 끌어다 놓으십시오",
  "The file holds": "파일의 내용",
  "health maps": "건전성 맵",
  "a raw recording": "원시 진동 기록",
  "The gears of the recording": "기록의 기어",
  "a pair": "기어 한 쌍",
  "a planetary stage": "유성 기어 단",
  "Teeth of the driving gear": "구동 기어 잇수",
  "Teeth of the driven gear": "피동 기어 잇수",
  "Teeth of the sun": "선 기어 잇수",
  "Teeth of a planet": "유성 기어 잇수",
  "Teeth of the ring": "링 기어 잇수",
  "Planets": "유성 기어 수",
  "Tachometer on": "타코미터 축",
  "the sun's shaft": "선 기어 축",
  "the carrier": "캐리어",
  "Enter the number of teeth of every gear.": "모든 기어의 잇수를 입력하십시오.",
  "Recordings: {files}, with their gears. ": "진동 기록: {files}, 기어를 함께 입력합니다. ",
  "If the recording's file does not say it": "기록 파일에 없는 정보",
  "Sampling rate (Hz)": "표본화 주파수 (Hz)",
  "Vibration channel": "진동 채널",
  "Tachometer channel": "타코미터 채널",
  "Diagnose": "진단",
  "Try an example": "예제 보기",
  "Nothing diagnosed yet. Choose a file of maps, or try the example: a simulated map with a damaged tooth.":
    "아직 진단한 것이 없습니다. 맵 파일을 고르거나, 손상된 이가 있는 모의 맵 예제를 보십시오.",
  "Map": "맵",
  "Damaged": "손상 부위",
  "Contrast over background (95 %)": "배경 대비 (95 %)",
  "Extent": "범위",
  "Chance on a healthy map": "정상 맵에서의 확률",
  "The map": "맵",
  "Where it is anomalous": "이상 부위",
  "Download the report": "보고서 내려받기",
  "Teeth are counted from 0. Programs use": "이 번호는 0부터 셉니다. 프로그램은 다음을 사용합니다:",
  "the HTTP API": "HTTP API",
  "Detector {detector}, for maps of {rows} x {columns} ({row} x {column}).":
    "검출기 {detector}, {rows} x {columns} 맵용 ({row} x {column}).",
  "Maps: {files}. ": "맵: {files}. ",
  "Recordings: {files}, built for the model's own gears. ": "진동 기록: {files}, 모델의 기어로 처리합니다. ",
  "Up to {size} MB. Several files in time order give the course.": "최대 {size} MB. 여러 파일을 시간순으로 주면 추이를 보여 줍니다.",
  "Confidence: {text}": "신뢰도: {text}",
  "Next: {text}": "다음: {text}",
  "Score {score} ({threshold}).": "점수 {score} ({threshold}).",
  "threshold {value}": "임계값 {value}",
  "no threshold": "임계값 없음",
  "{gear} tooth {tooth}": "{gear} 기어 {tooth}번 이",
  "{gear} tooth, number unknown": "{gear} 기어의 이, 번호 모름",
  "{first} to {last}, {cells} cells": "{first}~{last}, {cells}칸",
  "Evidence of each {name}": "{name}별 증거",
  "All records together": "전체 기록",
  "Evidence of {tooth}, record by record": "기록별 {tooth}의 증거",
  "record": "기록",
  "anomaly": "이상도",
  "grey: what healthy maps reach": "회색: 정상 맵의 범위",
  "Choose a file first, or try the example.": "먼저 파일을 고르거나 예제를 보십시오.",
  "The service cannot be reached. Is it still running?": "서비스에 연결할 수 없습니다. 실행 중입니까?",
  "The service answered {status}.": "서비스 응답: {status}.",
  "This detector does not tell.": "이 검출기는 알려 주지 않습니다.",
  "driving": "구동",
  "driven": "피동",
  "driving tooth": "구동 기어 이",
  "driven tooth": "피동 기어 이",
  "planet": "유성",
  "planet tooth": "유성 기어 이",
  "ring tooth": "링 기어 이",
};

let korean = navigator.language.startsWith("ko");

export function code() { return korean ? "ko" : "en"; }

export function speak(name) { korean = name === "ko"; }

export function say(text, places = {}) {
  const said = (korean && KOREAN[text]) || text;
  return said.replace(/\{(\w+)\}/g, (all, name) => (name in places ? places[name] : all));
}

// every element whose text is the page's own, in the language that is chosen
export function translate() {
  document.documentElement.lang = code();
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
}
